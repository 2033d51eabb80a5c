"""ModelServerConfig: the models to serve, which of their versions, and their labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import grpc
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import StatusError, invalid_argument

PLATFORM: Final = "tensorflow"
"""The only platform that tensorflow_model_server knows."""

STABLE: Final = "stable"
CANARY: Final = "canary"

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]*://")
"""The form of a URI's scheme that TensorFlow accepts, narrower than the standard."""


def models_of(config: config_pb2.ModelServerConfig) -> list[config_pb2.ModelConfig]:
    """Return the models that a configuration lists."""
    return list(config.model_config_list.config)


def one_model(name: str, base_path: str) -> config_pb2.ModelConfig:
    """Return a model with the default policy: its newest version."""
    return config_pb2.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)


def listing(*models: config_pb2.ModelConfig) -> config_pb2.ModelServerConfig:
    """Return a configuration of these models."""
    return config_pb2.ModelServerConfig(model_config_list=config_pb2.ModelConfigList(config=models))


def serve_exactly(model: config_pb2.ModelConfig, versions: Iterable[int]) -> None:
    """Set a model's policy to these versions."""
    model.model_version_policy.Clear()
    model.model_version_policy.specific.versions.extend(sorted(set(versions)))


def validate(config: config_pb2.ModelServerConfig) -> None:
    """Check everything that can be checked without loading a model.

    Raises:
        StatusError: a name is listed twice, a path is relative, or a platform is missing or not TensorFlow's;
            code and message are TensorFlow Serving's.
    """
    check_listing(config)
    check_platforms(config)


def check_listing(
    config: config_pb2.ModelServerConfig, *, running: config_pb2.ModelServerConfig | None = None
) -> None:
    """Check names and paths, and that no model changes its platform.

    TensorFlow Serving checks a configuration in this order: names and paths, labels, platforms.

    Args:
        config: the configuration to check.
        running: the configuration that it would replace, if any.

    Raises:
        StatusError: a name is listed twice, a path is relative, or a platform differs from the running model's;
            code and message are TensorFlow Serving's.
    """
    seen: set[str] = set()
    for model in models_of(config):
        if model.name in seen:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    for model in models_of(config):
        if not model.base_path.startswith("/") and not _SCHEME.match(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
    platforms = {model.name: _platform(model) for model in models_of(running)} if running else {}
    for model in models_of(config):
        if model.name in platforms and _platform(model) != platforms[model.name]:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {model.name} "
                f"platform was {platforms[model.name]} and new platform requested is {_platform(model)}"
            )


def check_platforms(config: config_pb2.ModelServerConfig) -> None:
    """Check that every model is for TensorFlow.

    Raises:
        StatusError: a model has no platform or another one; code and message are TensorFlow Serving's.
    """
    for model in models_of(config):
        platform = _platform(model)
        if platform != PLATFORM:
            raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")


def labels_of(config: config_pb2.ModelServerConfig) -> dict[str, dict[str, int]]:
    """Return the labelled versions by model and by label."""
    return {model.name: dict(model.version_labels) for model in models_of(config) if model.version_labels}


def check_labels(
    config: config_pb2.ModelServerConfig,
    *,
    available: Mapping[str, set[int]],
    assigned: Mapping[str, Mapping[str, int]],
    allow_unavailable: bool,
) -> None:
    """Refuse a label on a version that cannot be called.

    Args:
        config: the configuration with the labels to assign.
        available: the available versions by model.
        assigned: the labels in force.
        allow_unavailable: a new label may be put on any version; a label in use still moves to available
            versions only.

    Raises:
        StatusError: FAILED_PRECONDITION, for the first such label.
    """
    for name, labels in labels_of(config).items():
        for label, version in labels.items():
            moves = assigned.get(name, {}).get(label, version) != version
            if version in available.get(name, ()) or (allow_unavailable and not moves):
                continue
            raise StatusError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {name}, "
                "which is not currently available for inference",
            )


def _platform(model: config_pb2.ModelConfig) -> str:
    if model.model_type:
        if model.model_platform:
            raise invalid_argument(
                "Illegal setting both ModelServerConfig::model_type (deprecated) "
                f"and ModelServerConfig::model_platform, model name is {model.name}"
            )
        if model.model_type != config_pb2.TENSORFLOW:
            raise invalid_argument(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
        return PLATFORM
    if not model.model_platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            f"nor ModelServerConfig::model_platform, model name is {model.name}"
        )
    return model.model_platform
