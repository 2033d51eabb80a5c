"""The signals that end a command: they undo a rollout by an exception, or wake a server that is to stop."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import Self

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)

_FINISHED: Final = b"\0"
"""The byte that is sent when the server has finished; a signal sends its number."""


class Interruptions:
    """A context in which the signals that end a process raise an exception.

    SIGINT raises KeyboardInterrupt. SIGTERM and SIGHUP raise SystemExit with 128 plus the signal's number, as the shell
    reports it. A signal that the process was started to ignore, as under `nohup`, stays ignored. Outside the main
    thread, where Python allows no handlers, nothing changes.
    """

    def __init__(self) -> None:
        self._previous: dict[signal.Signals, signal._HANDLER] = {}
        self._held = False
        self._pending: int | None = None
        self._raised: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
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
        """Delay a signal that arrives in the block until the block has finished."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            number, self._pending = self._pending, None
        if number is not None:
            self._raise(number)

    def check(self) -> None:
        """Raise again what a signal has raised, where the command goes on as if none had come.

        Python reports and drops what is raised within a finalizer or a weak reference's callback, and a handler may run
        there.
        """
        if self._raised is not None:
            _interrupt(self._raised)

    def _handle(self, number: int, _frame: object) -> None:
        if self._held:
            self._pending = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        self._raised = number
        _interrupt(number)


class Wakeups:
    """A socket that wakes the main thread at a stop signal, and when the server has finished.

    A signal may arrive in any of TensorFlow's or gRPC's threads. Python runs handlers in the main thread only, once it
    wakes from its lock, queue or event. So the main thread waits for a byte on a socket instead, which Python writes
    in the thread where the signal arrives.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno())
        for number in _STOPPING:
            signal.signal(number, lambda *_: None)

    def wait(self) -> bool:
        """Block until a signal arrives (True) or the server has finished (False)."""
        return self._receiver.recv(1) != _FINISHED

    def finished(self) -> None:
        """Report that the server has finished."""
        self._sender.send(_FINISHED)

    def close(self) -> None:
        """Ignore every further signal: Python's shutdown restores their default action, which kills the process."""
        for number in _STOPPING:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        self._receiver.close()
        self._sender.close()


def _interrupt(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
