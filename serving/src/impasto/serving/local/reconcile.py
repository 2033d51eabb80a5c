"""Load and unload versions as the configuration and the disk ask for, without a gap in service."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import grpc
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import LoadFailure, StatusError
from impasto.serving.local.manager import ModelManager
from impasto.serving.local.options import ServerOptions
from impasto.serving.local.version_files import Fingerprint, check_files, fingerprint
from impasto.serving.log import get_logger
from impasto.serving.model_config import models_of
from impasto.serving.versions import aspired_versions, base_folder, where_versions_are

_LOG: Final = get_logger("impasto.serving")

Aspired: TypeAlias = Mapping[int, Path]


@dataclass(frozen=True)
class _Try:
    """The latest try of a version that did not load.

    Attributes:
        failure: the version and its error.
        files: the fingerprint of its files at the try.
        number: 1 for the first try with these files.
        again_at: the time of the next try by the monotonic clock; infinity for never.
    """

    failure: LoadFailure
    files: Fingerprint
    number: int
    again_at: float


class Reconciler:
    """A loop body that loads the wanted ("aspired") versions and unloads the others; for one thread at a time.

    A version that is no longer wanted stays until a wanted one can be called, so a model is never without a version
    because its next one is loading or fails to load. A version that failed is retried a few times, and again once its
    files change, such as those of a version that is still being copied. Other versions do not wait for it.

    Args:
        manager: loads and holds the versions.
        options: how often, and after which time, to retry a version that does not load.
    """

    def __init__(self, manager: ModelManager, options: ServerOptions) -> None:
        self._manager = manager
        self._retries = options.max_num_load_retries
        self._pause = max(0.0, options.load_retry_interval_micros / 1e6)
        self._aspired: dict[str, Aspired] = {}
        self._tries: dict[tuple[str, int], _Try] = {}
        self._kept_back: set[str] = set()

    def bring(self, config: config_pb2.ModelServerConfig) -> None:
        """Look at the disk and make one pass over all models. Versions that do not load become `failures`."""
        known, self._aspired = self._aspired, {}
        for model in models_of(config):
            self._look(model, before=known.get(model.name, {}))
        for name in self._aspired:
            self._bring_model(name)
        for name in set(known) - set(self._aspired):
            self._forget_tries(name, keep=set())
            self._unload(name, self._manager.versions(name))

    def retry(self) -> None:
        """Retry the versions whose time has come, without a look at the rest of the disk."""
        now = time.monotonic()
        for name in {name for (name, _), tried in self._tries.items() if tried.again_at <= now}:
            self._bring_model(name)

    @property
    def next_try(self) -> float:
        """The time of the next retry by the monotonic clock; infinity if there is none."""
        return min((tried.again_at for tried in list(self._tries.values())), default=math.inf)

    def is_trying(self, name: str) -> bool:
        """Return True if a version of the model that did not load will be retried."""
        return any(
            tried.failure.name == name and not math.isinf(tried.again_at)
            for tried in list(self._tries.values())
        )

    def failures(self, name: str) -> list[LoadFailure]:
        """Return the wanted versions of a model that did not load at the last try, newest first."""
        failures = [tried.failure for tried in list(self._tries.values()) if tried.failure.name == name]
        return sorted(failures, key=lambda failure: failure.version, reverse=True)

    def _look(self, model: config_pb2.ModelConfig, *, before: Aspired) -> None:
        """Find the wanted versions of a model."""
        name = model.name
        try:
            aspired = aspired_versions(model)
        except Exception as error:  # noqa: BLE001  # one odd folder must not keep the other models back
            # If the disk is away for a moment, the models stay loaded.
            self._say_once(name, f"Could not find base path {model.base_path} for servable {name}: {error}")
            self._aspired[name] = before
            return
        if aspired:
            self._kept_back.discard(name)
        else:
            hint = where_versions_are(base_folder(model))
            self._say_once(
                name, f"No versions of servable {name} found under base path {model.base_path}{hint}"
            )
        self._aspired[name] = aspired
        for version in set(aspired) - self._manager.versions(name):
            if (name, version) not in self._tries:
                self._manager.announce(name, version)

    def _bring_model(self, name: str) -> None:
        aspired = self._aspired[name]
        try:
            self._forget_tries(name, keep=set(aspired))
            for version in sorted(set(aspired) - self._manager.versions(name), reverse=True):
                self._load(name, version, aspired[version])
            available = self._manager.versions(name)
            if not aspired or available & set(aspired):
                self._unload(name, available - set(aspired))
        except Exception as error:  # noqa: BLE001 - an unforeseen error with one model must not end the service of the others
            self._say_once(name, f"{name} could not be brought up to date", error)

    def _load(self, name: str, version: int, directory: Path) -> None:
        files = fingerprint(directory)
        before = self._tries.get((name, version))
        if before is not None and before.files == files:
            if time.monotonic() < before.again_at:
                return
            number = before.number + 1
        else:
            number = 1
        try:
            check_files(directory)
            self._manager.load(name, version, directory)
        except StatusError as error:
            self._failed(LoadFailure(name, version, directory, error), files, number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the version did not load
            _LOG.exception("%s version %d did not load for an unforeseen reason", name, version)
            unforeseen = StatusError(grpc.StatusCode.UNKNOWN, repr(error))
            self._failed(LoadFailure(name, version, directory, unforeseen), files, number)
        else:
            self._tries.pop((name, version), None)

    def _failed(self, failure: LoadFailure, files: Fingerprint, number: int) -> None:
        name, version, error = failure.name, failure.version, failure.error
        if number <= self._retries:
            again_at = time.monotonic() + self._pause
            then = f"it is tried again in {self._pause:g} s ({number} of {self._retries})"
        else:
            again_at = math.inf
            then = "it is not tried again until its files change"
            self._manager.give_up(name, version, error)
        _LOG.error("%s version %d did not load: %s; %s", name, version, error, then)
        self._tries[name, version] = _Try(failure, files, number, again_at)

    def _unload(self, name: str, versions: set[int]) -> None:
        for version in sorted(versions):
            self._manager.unload(name, version)

    def _forget_tries(self, name: str, *, keep: set[int]) -> None:
        for tried, version in list(self._tries):
            if tried == name and version not in keep:
                error = self._tries.pop((tried, version)).failure.error
                self._manager.give_up(name, version, error)

    def _say_once(self, name: str, message: str, error: Exception | None = None) -> None:
        """Log a reason why a model is not served, once until it is served again."""
        if name not in self._kept_back:
            _LOG.warning("%s", message, exc_info=error)
            self._kept_back.add(name)
