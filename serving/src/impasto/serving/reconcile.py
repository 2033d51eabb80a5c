"""Bring what is loaded to what the configuration and the disk ask for, without a gap in service."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, TypeAlias

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import LoadFailure, StatusError
from impasto.serving.manager import ModelManager
from impasto.serving.model_config import models_of
from impasto.serving.policy import aspired_versions

_LOG: Final = logging.getLogger("impasto.serving")

Fingerprint: TypeAlias = frozenset[tuple[str, int, int]]


class Reconciler:
    """Loads the versions that are asked for and unloads the others; one thread at a time.

    A version that is no longer asked for stays until one that is asked for can be called, so a model is never
    without a version because its next one loads or fails to. A version that failed is tried again once its
    files change, as those of a version that is still being copied do.
    """

    def __init__(self, manager: ModelManager) -> None:
        self._manager = manager
        self._known: set[str] = set()
        self._failures: dict[tuple[str, int], tuple[LoadFailure, Fingerprint]] = {}
        self._kept_back: set[str] = set()

    def bring(self, config: config_pb2.ModelServerConfig) -> None:
        """One pass over all models. Versions that do not load are kept as `failures`."""
        models = models_of(config)
        for model in models:
            try:
                self._bring_model(model)
            except Exception as error:  # noqa: BLE001 - one model's surprise must not end the service of the others
                self._say_once(model.name, f"{model.name} could not be brought up to date", error)
        for name in self._known - {model.name for model in models}:
            self._unload(name, self._manager.versions(name))
            self._forget_failures(name, keep=set())
        self._known = {model.name for model in models}

    def failures(self, name: str | None = None) -> list[LoadFailure]:
        """The versions, of one model or of all, that are asked for and did not load."""
        return [failure for failure, _ in self._failures.values() if name in (None, failure.name)]

    def _bring_model(self, model: config_pb2.ModelConfig) -> None:
        name = model.name
        try:
            aspired = aspired_versions(model)
        except OSError as error:
            # A disk that is away for a moment must not take the models with it.
            self._say_once(name, f"Could not find base path {model.base_path} for servable {name}: {error}")
            return
        if aspired:
            self._kept_back.discard(name)
        else:
            self._say_once(name, f"No versions of servable {name} found under base path {model.base_path}")
        self._forget_failures(name, keep=set(aspired))
        for version in sorted(set(aspired) - self._manager.versions(name), reverse=True):
            self._load(name, version, aspired[version])
        available = self._manager.versions(name)
        if not aspired or available & set(aspired):
            self._unload(name, available - set(aspired))

    def _load(self, name: str, version: int, directory: Path) -> None:
        fingerprint = _fingerprint(directory)
        _, failed_with = self._failures.get((name, version), (None, None))
        if failed_with == fingerprint:
            return
        try:
            self._manager.load(name, version, directory)
        except StatusError as error:
            _LOG.error("%s version %d did not load: %s", name, version, error)
            self._failures[name, version] = LoadFailure(name, version, directory, error), fingerprint
        else:
            self._failures.pop((name, version), None)

    def _unload(self, name: str, versions: set[int]) -> None:
        for version in sorted(versions):
            self._manager.unload(name, version)

    def _forget_failures(self, name: str, *, keep: set[int]) -> None:
        for failed, version in list(self._failures):
            if failed == name and version not in keep:
                del self._failures[failed, version]

    def _say_once(self, name: str, message: str, error: Exception | None = None) -> None:
        """Logs what keeps a model back, until it is served again."""
        if name not in self._kept_back:
            _LOG.warning("%s", message, exc_info=error)
            self._kept_back.add(name)


def _fingerprint(directory: Path) -> Fingerprint:
    """The files of a version with their sizes and times; empty if they cannot be read."""
    try:
        files = [(str(path), path.stat()) for path in directory.rglob("*")]
    except OSError:
        return frozenset()
    return frozenset((path, stat.st_size, stat.st_mtime_ns) for path, stat in files)
