"""The steps of a promotion: the configurations to put in force, one after the other, without any I/O.

A label moves in two steps, because a server refuses a label on a version that it has not loaded: first both versions
are served, and once the new one can be called the label moves. Requests by the label find a version at every moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError
from impasto.serving.model_config import STABLE, models_of, serve_exactly


@dataclass(frozen=True)
class Step:
    """A configuration to put in force.

    Attributes:
        what: the step in words.
        config: the whole configuration.
        awaits: the versions of the model that must be available before the next step.
    """

    what: str
    config: config_pb2.ModelServerConfig
    awaits: frozenset[int] = frozenset()


def previous_label(label: str) -> str:
    """Return the label that keeps the version which `label` named before, for the way back."""
    return f"{label}-previous"


def promotion(
    config: config_pb2.ModelServerConfig,
    model: str,
    version: int,
    *,
    label: str = STABLE,
    available: Collection[int],
    drop_old: bool = False,
) -> list[Step]:
    """Return the steps that give `label` to a version.

    The version that had the label stays loaded under `previous_label`, and the one that had that label is dropped. A
    model without labels first gets `stable`, on its newest available version, so that a canary does not become the
    stable version by accident; the way back of a new label is the stable version.

    Args:
        config: the configuration in force.
        model: the model's name.
        version: the version to get the label.
        label: the label to move.
        available: the versions of the model that can be called now.
        drop_old: unload the version that had the label, unless it has another.

    Raises:
        ConfigError: the configuration does not list the model.
    """
    labels = _present_labels(_entry(config, model), available)
    old = labels.get(label, labels.get(STABLE))
    if old == version or old not in available:
        old = None
    needed = {named for other, named in labels.items() if other != label and not _is_previous(other)}
    served = {version, *labels.values(), *available}
    steps = [
        Step(
            f"version {version} of {model} is served" + _beside(served - {version}),
            _with(config, model, served, {name: v for name, v in labels.items() if v in available}),
            frozenset({version, *needed}),
        )
    ]
    labels[label] = version
    if old is not None:
        labels[previous_label(label)] = old
    after = "" if old is None else f", it was {old}"
    steps.append(
        Step(f"{label} of {model} is version {version}{after}", _with(config, model, served, labels))
    )
    if drop_old:
        labels.pop(previous_label(label), None)
    kept = set(labels.values())
    if kept != served:
        steps.append(
            Step(f"version {_listing(served - kept)} of {model} goes", _with(config, model, kept, labels))
        )
    return steps


def previous_version(config: config_pb2.ModelServerConfig, model: str, label: str) -> int:
    """Return the version that had `label` before. Its promotion is a rollback, and a second rollback undoes the first.

    Raises:
        ConfigError: the model is not listed, or no version is known to have had the label before.
    """
    labels = _entry(config, model).version_labels
    if previous_label(label) not in labels:
        raise ConfigError(
            f"{model} has no label {previous_label(label)}, so no version is known to which {label} could go back. "
            f"Name one: impasto-serving promote {model} VERSION --label {label}"
        )
    return int(labels[previous_label(label)])


def _entry(config: config_pb2.ModelServerConfig, model: str) -> config_pb2.ModelConfig:
    for entry in models_of(config):
        if entry.name == model:
            return entry
    listed = ", ".join(entry.name for entry in models_of(config)) or "no model"
    raise ConfigError(f"The configuration does not list {model!r}; it lists {listed}.")


def _with(
    config: config_pb2.ModelServerConfig, model: str, versions: Collection[int], labels: dict[str, int]
) -> config_pb2.ModelServerConfig:
    changed = config_pb2.ModelServerConfig()
    changed.CopyFrom(config)
    entry = _entry(changed, model)
    serve_exactly(entry, versions)
    entry.version_labels.clear()
    entry.version_labels.update(labels)
    return changed


def _present_labels(entry: config_pb2.ModelConfig, available: Collection[int]) -> dict[str, int]:
    """Return a model's labels, with a stable version and without ways back to versions that are gone."""
    labels = {
        label: version
        for label, version in entry.version_labels.items()
        if version in available or not _is_previous(label)
    }
    if STABLE not in labels and available:
        labels[STABLE] = max(available)
    return labels


def _is_previous(label: str) -> bool:
    return label.endswith(previous_label(""))


def _beside(versions: Collection[int]) -> str:
    return f" beside {_listing(versions)}" if versions else ""


def _listing(versions: Collection[int]) -> str:
    return ", ".join(map(str, sorted(versions)))
