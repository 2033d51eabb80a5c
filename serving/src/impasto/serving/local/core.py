"""The core of the server: the configuration in force, and a thread that loads and unloads versions by it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving import model_config
from impasto.serving.errors import ConfigError, LocalServerError, ModelLoadError, StatusError, unavailable
from impasto.serving.local.manager import ModelManager
from impasto.serving.local.options import ServerOptions
from impasto.serving.local.reconcile import Reconciler
from impasto.serving.local.sources import ModelSource
from impasto.serving.log import get_logger

_LOG: Final = get_logger("impasto.serving")

_ATTENTION: Final = 0.1
"""The seconds between two checks by a reload that waits, or a start that waits for its models."""

_RELOADS: Final = 2
"""The most reloads at once: one in progress, and one that waits for it."""


class ServerCore:
    """The configuration in force: the source's, until a reload replaces it.

    Args:
        manager: loads and holds the versions.
        source: the configuration at the start, and, if it is polled, whenever it changes.
        options: when to look for new versions and to retry, and which versions labels may name.
    """

    def __init__(self, manager: ModelManager, source: ModelSource, options: ServerOptions) -> None:
        self._manager = manager
        self._source = source
        self._options = options
        self._reconciler = Reconciler(manager, options)
        self._config = config_pb2.ModelServerConfig()
        self._accepting = threading.Lock()
        self._callers: list[Callable[[], bool]] = []
        self._reloading = threading.Lock()
        self._overruled = False
        self._fault: str | None = None
        self._unforeseen: str | None = None
        self._changed = threading.Condition()
        self._passes_wanted = 0
        self._passes_done = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch source and disk in a thread, and return once each model of the source can be called.

        Versions that do not load are retried before that. A model that has no version on disk is waited for, unless
        the source is a repository.

        Raises:
            ConfigError: the configuration cannot be served.
            ModelLoadError: no version of a model loads: they are corrupt, or their warm-up fails.
            LocalServerError: the source cannot be read, or the server was stopped meanwhile.
        """
        try:
            self._accept(self._source.read())
        except StatusError as error:
            raise ConfigError(f"Failed to start server. Error: {error}") from error
        self._passes_wanted = 1
        with self._changed:
            if (
                not self._closing
            ):  # else there is no thread, and what follows says that the server was stopped
                self._thread = threading.Thread(target=self._watch, name="model-versions", daemon=True)
                self._thread.start()
        self._await_start()

    def reload(self, config: config_pb2.ModelServerConfig, *, is_wanted: Callable[[], bool]) -> None:
        """Put another configuration in force, and wait until the models that are new in it can be called.

        New versions of a known model load in the background. Running calls finish before their version goes.

        Args:
            config: the configuration that replaces the present one as a whole.
            is_wanted: returns False once the caller no longer waits.

        Raises:
            StatusError: a new model does not load; or, with the present configuration unchanged, the new one is
                refused, two other reloads are not done yet, or the caller has gone before its turn.
        """
        with self._turn(is_wanted):
            known = self._names()
            self._accept(config)
            self._overruled = True
            with self._changed:
                self._passes_wanted += 1
                mine = self._passes_wanted
                self._changed.notify_all()
            for name in self._names() - known:
                self._await_model(name, mine, is_wanted)

    def close(self) -> None:
        """Stop watching, and return once nothing is being loaded any more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _names(self) -> set[str]:
        return {model.name for model in model_config.models_of(self._config)}

    @contextmanager
    def _turn(self, is_wanted: Callable[[], bool]) -> Iterator[None]:
        """Wait until no other reload is in progress."""
        with self._accepting:
            # Callers that have gone leave at their next check; they do not count until then.
            if sum(is_still_wanted() for is_still_wanted in self._callers) >= _RELOADS:
                raise StatusError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    "A reload is in progress and another one waits for it. Try again when they are done.",
                )
            self._callers.append(is_wanted)
        try:
            while not self._reloading.acquire(timeout=_ATTENTION):
                self._check_wanted(is_wanted)
            try:
                self._check_wanted(is_wanted)
                yield
            finally:
                self._reloading.release()
        finally:
            with self._accepting:
                self._callers.remove(is_wanted)

    def _check_wanted(self, is_wanted: Callable[[], bool]) -> None:
        if self._closing or not is_wanted():
            raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "The reload was not applied in time")

    def _accept(self, config: config_pb2.ModelServerConfig) -> None:
        with self._accepting:
            model_config.check_listing(config, running=self._config)
            names = [model.name for model in model_config.models_of(config)]
            model_config.check_labels(
                config,
                available={name: self._manager.versions(name) for name in names},
                assigned=self._manager.labels,
                allow_unavailable=self._options.allow_version_labels_for_unavailable_models,
            )
            model_config.check_platforms(config)
            # The labels first: none may name a version that the next pass unloads.
            self._manager.assign_labels(model_config.labels_of(config))
            self._config = config

    def _await_start(self) -> None:
        """Wait until every model can be called, or raise if one cannot."""
        told: set[str] = set()
        while not self._closing:
            absent = {name for name in self._names() if not self._manager.versions(name)}
            if self._passes_done and not any(map(self._reconciler.is_trying, self._names())):
                # The newest version of each model only, as in TensorFlow Serving.
                failures = [
                    failure for name in sorted(absent) for failure in self._reconciler.failures(name)[:1]
                ]
                if failures:
                    raise ModelLoadError(failures)
                if not absent or not self._source.waits:
                    return
                if absent != told:
                    told = absent
                    _LOG.warning(
                        "the port stays closed until there is a version of %s", ", ".join(sorted(absent))
                    )
            with self._changed:
                self._changed.wait(_ATTENTION)
        raise LocalServerError("the server was stopped before it had started")

    def _await_model(self, name: str, after: int, is_wanted: Callable[[], bool]) -> None:
        """Wait until a new model can be called; its base path may get its first version later.

        Args:
            name: the model.
            after: the first pass whose failures count.
            is_wanted: returns False once the caller no longer waits.
        """
        while name in self._names() and not self._manager.versions(name):
            is_settled = self._passes_done >= after and not self._reconciler.is_trying(name)
            failures = self._reconciler.failures(name)[:1] if is_settled else []
            if failures:
                raise unavailable(failures, what="model")
            if self._closing or not is_wanted():
                raise StatusError(
                    grpc.StatusCode.DEADLINE_EXCEEDED, f"No version of {name} became available in time"
                )
            with self._changed:
                self._changed.wait(_ATTENTION)

    def _watch(self) -> None:
        """Look at the disk and read the source when their times come, and when a reload asks for it."""
        next_look = _date(self._options.file_system_poll_wait_seconds)
        next_read = _date(self._source.poll_seconds)
        while True:
            with self._changed:
                if not self._closing and self._passes_wanted == self._passes_done:
                    self._changed.wait(_until(min(next_look, next_read, self._reconciler.next_try)))
                if self._closing:
                    return
                wanted = self._passes_wanted
            is_read = time.monotonic() >= next_read and self._read_again()
            if time.monotonic() >= next_read:
                next_read = _date(self._source.poll_seconds)
            if is_read or wanted > self._passes_done or time.monotonic() >= next_look:
                self._pass(lambda: self._reconciler.bring(self._config))
                next_look = _date(self._options.file_system_poll_wait_seconds)
            elif time.monotonic() >= self._reconciler.next_try:
                self._pass(self._reconciler.retry)
            with self._changed:
                self._passes_done = wanted
                self._changed.notify_all()

    def _pass(self, work: Callable[[], None]) -> None:
        """Do a pass over the models. An unforeseen error in it is logged once, and the next pass tries again."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  # the thread must live, whatever lies on the disk
            if repr(error) != self._unforeseen:
                _LOG.warning("the models could not be brought up to date", exc_info=error)
            self._unforeseen = repr(error)
        else:
            self._unforeseen = None

    def _read_again(self) -> bool:
        """Put the source's present configuration in force. A fault in it is logged once and changes nothing."""
        if self._overruled and not self._source.overrules:
            return False
        try:
            self._accept(self._source.read())
        except Exception as error:  # noqa: BLE001  # the thread must live, whatever the source holds
            if str(error) != self._fault:
                _LOG.error("the configuration stays as it is: %s", error)
            self._fault = str(error)
            return False
        self._fault = None
        return True


def _date(seconds: float) -> float:
    """Return the time so many seconds from now; infinity for 0 seconds, which stands for never."""
    return time.monotonic() + seconds if seconds else math.inf


def _until(date: float) -> float | None:
    """Return the seconds until a time; None for infinity."""
    return None if math.isinf(date) else max(0.0, date - time.monotonic())
