"""The heart of the server: the configuration in force, and a thread that keeps the models in step with it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.serving.errors import ConfigError, LocalServerError, ModelLoadError, StatusError, unavailable
from impasto.serving.manager import ModelManager
from impasto.serving.model_config import check_labels, check_listing, check_platforms, labels_of, models_of
from impasto.serving.reconcile import Reconciler
from impasto.serving.retries import Retries
from impasto.serving.sources import ModelSource

_LOG: Final = logging.getLogger("impasto.serving")

_ATTENTION: Final = 0.1
"""Seconds between two looks at whether a caller still waits for its reload, or the start for its models."""

_RELOADS: Final = 2
"""Reloads at once: one in progress, and one that waits for it."""


class ServerCore:
    """Serves what the source says until a reload says otherwise.

    Args:
        manager: loads and holds the versions.
        source: the configuration at the start, and, if it is polled, whenever it changes.
        retries: when to try again versions that do not load.
        poll_seconds: how often to look for new versions on disk; 0 looks at the start and at reloads only.
        labels_for_unavailable: a new label may be put on a version that is not loaded.
    """

    def __init__(
        self,
        manager: ModelManager,
        source: ModelSource,
        *,
        retries: Retries,
        poll_seconds: float = 1.0,
        labels_for_unavailable: bool = False,
    ) -> None:
        self._manager = manager
        self._source = source
        self._poll_seconds = poll_seconds
        self._labels_for_unavailable = labels_for_unavailable
        self._reconciler = Reconciler(manager, retries)
        self._config = config_pb2.ModelServerConfig()
        self._accepting = threading.Lock()
        self._callers: list[Callable[[], bool]] = []
        self._reloading = threading.Lock()
        self._overruled = False
        self._fault: str | None = None
        self._changed = threading.Condition()
        self._passes_wanted = 0
        self._passes_done = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch source and disk from a thread. Returns once each model of the source has a version that can be called.

        Versions that do not load are tried again before. A model that has no version on disk is waited for, unless
        the source is a repository.

        Raises:
            ConfigError: the configuration cannot be served.
            ModelLoadError: none of a model's versions loads: they are corrupt, or their warm-up fails.
            LocalServerError: the source cannot be read, or the server was stopped meanwhile.
        """
        try:
            self._accept(self._source.read())
        except StatusError as error:
            raise ConfigError(f"Failed to start server. Error: {error}") from error
        self._passes_wanted = 1
        self._thread = threading.Thread(target=self._watch, name="model-versions", daemon=True)
        self._thread.start()
        self._await_start()

    def reload(self, config: config_pb2.ModelServerConfig, *, is_wanted: Callable[[], bool]) -> None:
        """Puts another configuration in force, and waits until models that are new in it can be called.

        Versions that are new for a known model load in the background. Calls that run on a version that goes
        are finished.

        Args:
            config: replaces the present one as a whole.
            is_wanted: whether the caller still waits.

        Raises:
            StatusError: the configuration is refused, or two reloads are not done yet, or the caller has gone before
                it was this reload's turn (the present configuration stays); or a new model does not load.
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
        """Stops watching. Returns once nothing is being loaded any more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _names(self) -> set[str]:
        return {model.name for model in models_of(self._config)}

    @contextmanager
    def _turn(self, is_wanted: Callable[[], bool]) -> Iterator[None]:
        """Waits until no other reload is in progress."""
        with self._accepting:
            # Callers that have gone leave when they next look, and take no place until then.
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
            check_listing(config, running=self._config)
            available = {model.name: self._manager.versions(model.name) for model in models_of(config)}
            check_labels(
                config,
                available=available,
                assigned=self._manager.labels,
                allow_unavailable=self._labels_for_unavailable,
            )
            check_platforms(config)
            # The labels first: none may point at a version that the next pass unloads.
            self._manager.assign_labels(labels_of(config))
            self._config = config

    def _await_start(self) -> None:
        """Waits until every model can be called, or one of them cannot be."""
        told: set[str] = set()
        while not self._closing:
            absent = {name for name in self._names() if not self._manager.versions(name)}
            if self._passes_done and not any(map(self._reconciler.is_trying, self._names())):
                # One version of each model, the newest, as TensorFlow Serving has it.
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
        """Waits until a new model can be called; its base path may get its first version later.

        Args:
            name: the model.
            after: the pass from which on a failure counts.
            is_wanted: whether the caller still waits.
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
        """Looks at the disk and at the source when their times come, and when a reload asks for it."""
        next_look = _date(self._poll_seconds)
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
                self._reconciler.bring(self._config)
                next_look = _date(self._poll_seconds)
            elif time.monotonic() >= self._reconciler.next_try:
                self._reconciler.retry()
            with self._changed:
                self._passes_done = wanted
                self._changed.notify_all()

    def _read_again(self) -> bool:
        """Takes over what the source says now. A fault in it is logged once, and what is served stays."""
        if self._overruled and not self._source.overrules:
            return False
        try:
            self._accept(self._source.read())
        except (LocalServerError, StatusError) as error:
            if str(error) != self._fault:
                _LOG.error("the configuration stays as it is: %s", error)
            self._fault = str(error)
            return False
        self._fault = None
        return True


def _date(seconds: float) -> float:
    """The time that lies so many seconds ahead; the end of time for 0, which stands for never."""
    return time.monotonic() + seconds if seconds else math.inf


def _until(date: float) -> float | None:
    """The seconds until then; None for the end of time."""
    return None if math.isinf(date) else max(0.0, date - time.monotonic())
