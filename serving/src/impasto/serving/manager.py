"""Which versions are loaded, and which of them a request's ModelSpec means."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final, TypeAlias

from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from impasto.serving.errors import LoadFailure, ModelLoadError, StatusError, invalid_argument, not_found
from impasto.serving.servable import Servable
from impasto.serving.warmup import warm_up

_LOG: Final = logging.getLogger("impasto.serving")

State: TypeAlias = get_model_status_pb2.ModelVersionStatus


class ModelManager:
    """Loads versions, keeps their states, and finds the one that a request asks for.

    Every method may be called from any thread.

    Args:
        warm_up_models: replay each version's warm-up records before it becomes available.
    """

    def __init__(self, *, warm_up_models: bool = True) -> None:
        self._warm_up_models = warm_up_models
        self._lock = threading.Lock()
        self._available: dict[str, dict[int, Servable]] = {}
        self._states: dict[str, dict[int, State]] = {}

    def load(self, wanted: dict[str, tuple[int, Path]]) -> None:
        """Loads one version of each model, one after the other.

        Args:
            wanted: the version and its directory by model name.

        Raises:
            ModelLoadError: after all were tried, if any failed.
        """
        failures = []
        for name, (version, directory) in wanted.items():
            try:
                self._load(name, version, directory)
            except StatusError as error:
                self._set_state(name, version, State.END, error)
                failures.append(LoadFailure(name, version, directory, error))
        if failures:
            raise ModelLoadError(failures)

    def resolve(self, spec: model_pb2.ModelSpec) -> Servable:
        """The loaded version that a ModelSpec asks for: that version, or the newest.

        Raises:
            StatusError: no name, no such model, version or label.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        with self._lock:
            versions = self._available.get(spec.name, {})
            if choice == "version":
                wanted, servable = (
                    f"Specific({spec.name}, {spec.version.value})",
                    versions.get(spec.version.value),
                )
            else:
                wanted, servable = f"Latest({spec.name})", versions[max(versions)] if versions else None
        if servable is None:
            raise not_found(f"Servable not found for request: {wanted}")
        return servable

    def states(self, name: str) -> list[State]:
        """The state of every version of a model that was ever loaded, newest first; maybe none."""
        with self._lock:
            return [state for _, state in sorted(self._states.get(name, {}).items(), reverse=True)]

    def available(self) -> list[tuple[str, int]]:
        """Name and version of every loaded version, in order."""
        with self._lock:
            return sorted(
                (name, version) for name, versions in self._available.items() for version in versions
            )

    def close(self) -> None:
        """Unloads everything; calls still running are aborted."""
        with self._lock:
            servables = [servable for versions in self._available.values() for servable in versions.values()]
            self._available.clear()
        for servable in servables:
            servable.close()
            self._set_state(servable.name, servable.version, State.END)

    def _load(self, name: str, version: int, directory: Path) -> None:
        started = time.monotonic()
        self._set_state(name, version, State.LOADING)
        servable = Servable(name=name, version=version, directory=directory)
        try:
            records = warm_up(servable) if self._warm_up_models else 0
        except StatusError:
            servable.close()
            raise
        with self._lock:
            self._available.setdefault(name, {})[version] = servable
        self._set_state(name, version, State.AVAILABLE)
        _LOG.info(
            "loaded %s version %d in %.1f s (%d warm-up records)",
            name,
            version,
            time.monotonic() - started,
            records,
        )

    def _set_state(self, name: str, version: int, state: int, error: StatusError | None = None) -> None:
        status = State(version=version, state=state)
        status.status.error_code = error.code.value[0] if error else 0
        status.status.error_message = error.message if error else ""
        with self._lock:
            self._states.setdefault(name, {})[version] = status
