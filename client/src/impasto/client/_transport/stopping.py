"""The end of calls that several threads have under way, for one reason: the job that they are part of ends early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from impasto.client._transport import forks


class Stop:
    """Stops the calls that were made with it, in whichever threads they wait, and all that begin later."""

    def __init__(self) -> None:
        self._is_set = False
        self._ways: dict[object, Callable[[], object]] = {}
        self._lock = forks.Lock()

    def set(self) -> None:
        """Stop what is under way."""
        with self._lock:
            self._is_set = True
            ways = list(self._ways.values())
        for stop in ways:
            stop()

    @contextmanager
    def reaching(self, stop: Callable[[], object]) -> Generator[None]:
        """Do what `stop`, called from any thread, ends. What had begun before this was stopped is ended here.

        Raises:
            CancelledError: it was stopped.
        """
        key = object()
        with self._lock:
            is_late = self._is_set
            if not is_late:
                self._ways[key] = stop
        if is_late:
            stop()
            raise CancelledError
        try:
            yield
        finally:
            with self._lock:
                del self._ways[key]
            if self._is_set:
                raise CancelledError

    def sleep(self, seconds: float) -> None:
        """Wait, unless it is stopped. Raises CancelledError."""
        woken = threading.Event()
        with self.reaching(woken.set):
            woken.wait(seconds)
