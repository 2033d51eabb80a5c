"""The loaded versions, and the one that a request's ModelSpec names."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from impasto.serving.errors import StatusError, invalid_argument, not_found
from impasto.serving.local.servable import Servable
from impasto.serving.local.warm_up import warm_up
from impasto.serving.log import get_logger

_LOG: Final = get_logger("impasto.serving")

_INTERNAL: Final = "__saved_model"
"""The beginning of the names that `tf.saved_model.save` adds to the signatures for its own use."""

State: TypeAlias = get_model_status_pb2.ModelVersionStatus

Labels: TypeAlias = Mapping[str, Mapping[str, int]]
"""The labelled versions by model and by label."""


class ModelManager:
    """The versions of all models: they are loaded, unloaded and found for requests here, with their states.

    Every method may be called from any thread.

    Args:
        warm_up_models: replay each version's warm-up records before it becomes available.
    """

    def __init__(self, *, warm_up_models: bool = True) -> None:
        self._warm_up_models = warm_up_models
        self._lock = threading.Lock()
        self._available: dict[str, dict[int, Servable]] = {}
        self._unloading: set[Servable] = set()
        self._states: dict[str, dict[int, State]] = {}
        self._labels: Labels = {}

    def announce(self, name: str, version: int) -> None:
        """Give a version that will be loaded the state START."""
        self._set_state(name, version, State.START)

    def load(self, name: str, version: int, directory: Path) -> None:
        """Load a version and make it available.

        Raises:
            StatusError: the version is corrupt or its warm-up fails; its state stays LOADING until the next try or
                `give_up`.
        """
        started = time.monotonic()
        self._set_state(name, version, State.LOADING)
        servable = Servable(name=name, version=version, directory=directory)
        try:
            records = warm_up(servable) if self._warm_up_models else 0
        except BaseException:
            servable.close()
            raise
        with self._lock:
            self._available.setdefault(name, {})[version] = servable
        self._set_state(name, version, State.AVAILABLE)
        if not any(not signature.startswith(_INTERNAL) for signature in servable.signatures):
            _LOG.warning(
                "%s version %d has no signatures, so no request can call it: save it with signatures=...",
                name,
                version,
            )
        elapsed = time.monotonic() - started
        _LOG.info("loaded %s version %d in %.1f s (%d warm-up records)", name, version, elapsed, records)

    def give_up(self, name: str, version: int, error: StatusError) -> None:
        """Give a version that did not load and is not retried the state END, with the error."""
        self._set_state(name, version, State.END, error)

    def unload(self, name: str, version: int) -> None:
        """Hide an available version from new calls; it is freed once its running calls have ended."""
        with self._lock:
            servable = self._available[name].pop(version)
            if not self._available[name]:
                del self._available[name]
            self._unloading.add(servable)
        self._set_state(name, version, State.UNLOADING)
        # A call may take an hour; the loading and unloading of other versions must not wait for it.
        threading.Thread(
            target=self._free, args=(servable,), name=f"unload-{name}-{version}", daemon=True
        ).start()

    @contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """Give the block the loaded version that a ModelSpec names: by version, by label, or the newest.

        The version stays loaded until the block ends.

        Raises:
            StatusError: there is no name, or no such model, version or label.
        """
        with self._lock:
            servable = self._find(spec)
            servable.enter()
        try:
            yield servable
        finally:
            servable.leave()

    def assign_labels(self, labels: Labels) -> None:
        """Replace all labels. If a label's version is not available, calls by the label find nothing."""
        with self._lock:
            self._labels = labels

    @property
    def labels(self) -> Labels:
        """The labelled versions by model and by label."""
        with self._lock:
            return self._labels

    def states(self, name: str) -> list[State]:
        """Return the state of each version of a model that was ever announced, newest first."""
        with self._lock:
            return [state for _, state in sorted(self._states.get(name, {}).items(), reverse=True)]

    def versions(self, name: str) -> set[int]:
        """Return the available versions of a model."""
        with self._lock:
            return set(self._available.get(name, ()))

    def available(self) -> list[tuple[str, int]]:
        """Return name and version of every available version, in order."""
        with self._lock:
            return sorted(
                (name, version) for name, versions in self._available.items() for version in versions
            )

    def close(self) -> None:
        """Unload everything; running calls are aborted."""
        with self._lock:
            servables = [servable for versions in self._available.values() for servable in versions.values()]
            servables += self._unloading
            self._available.clear()
        for servable in servables:
            servable.close()
            self._set_state(servable.name, servable.version, State.END)

    def _find(self, spec: model_pb2.ModelSpec) -> Servable:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        versions = self._available.get(spec.name, {})
        choice = spec.WhichOneof("version_choice")
        if choice is None:
            if not versions:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            return versions[max(versions)]
        if choice == "version":
            version = spec.version.value
        else:
            labelled = self._labels.get(spec.name, {}).get(spec.version_label)
            if labelled is None:
                raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
            version = labelled
        servable = versions.get(version)
        if servable is None:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {version})")
        return servable

    def _free(self, servable: Servable) -> None:
        servable.drain()
        servable.close()
        with self._lock:
            self._unloading.discard(servable)
            loaded_again = self._states[servable.name][servable.version].state != State.UNLOADING
        if not loaded_again:
            self._set_state(servable.name, servable.version, State.END)
        _LOG.info("unloaded %s version %d", servable.name, servable.version)

    def _set_state(self, name: str, version: int, state: int, error: StatusError | None = None) -> None:
        status = State(version=version, state=state)
        status.status.error_code = error.code.value[0] if error else 0
        status.status.error_message = error.message if error else ""
        with self._lock:
            self._states.setdefault(name, {})[version] = status
