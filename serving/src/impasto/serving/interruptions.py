"""SIGTERM and SIGHUP end a command as Ctrl-C does: by an exception, so that what was begun is undone."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """A context in which the signals that end a process raise an exception.

    SIGINT raises KeyboardInterrupt, the others SystemExit with 128 and the signal's number, the shell's status for it.
    A signal that the process was started to ignore, as `nohup` does, stays ignored. Outside the main thread, where
    Python allows no handlers, nothing changes.
    """

    def __init__(self) -> None:
        self._previous: dict[signal.Signals, signal._HANDLER] = {}
        self._held = False
        self._pending: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                previous = signal.getsignal(number)
                if previous not in (signal.SIG_IGN, None):
                    self._previous[number] = previous
                    signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        self._previous.clear()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let the block finish: a signal that arrives in it acts after it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            number, self._pending = self._pending, None
        if number is not None:
            _interrupt(number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._held:
            self._pending = number
        else:
            _interrupt(number)


def _interrupt(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
