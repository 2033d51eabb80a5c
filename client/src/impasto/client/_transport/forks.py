"""Calls before and after a fork: what a forked process may use of gRPC, and what is made anew there.

gRPC's core has locks and threads of its own. A child has the locks as they were at the fork, but none of the threads:
where a thread was at work in the core, or the poller of asynchronous channels was, the child's calls wait for ever,
also those of new channels. So a fork waits a moment for the calls under way, while new ones wait for the fork; where
that was not enough, the child is told at its first call. (Measured with grpcio 1.62, 1.71, 1.76 and 1.85: of forks
while three threads call, most children hang; with the wait, none of 290.) gRPC's own support for forks,
GRPC_ENABLE_FORK_SUPPORT, closes the channels in the child and does not allow for threads that call.

A child has channels of its own over connections of its own. Its parent's are kept there, unused: to close them would
end the parent's connections in its name.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

import grpc.aio

from impasto.client.errors import ForkedProcess

_PATIENCE: Final = 1.0
"""Seconds that a fork waits at most for calls under way."""

_REMEDY: Final = (
    "fork before the first call, and close an AsyncClient before; or start processes by spawn or forkserver "
    "(multiprocessing.get_context); or make and use the client in the worker alone (gunicorn's post_fork, Celery's "
    "worker_process_init)"
)


class Process:
    """The state that the calls of this process share; a forked child has another.

    Args:
        is_child: whether it was forked when this module was loaded already.
        trouble: why gRPC cannot be used in it; empty if it can.
    """

    def __init__(self, *, is_child: bool = False, trouble: str = "") -> None:
        self.is_child: Final = is_child
        self.trouble: Final = trouble
        self.changes = threading.Condition()
        self.calling = 0
        self.forks = 0
        # The objects that are alive, for a channel that nobody holds is closed.
        self.channels: weakref.WeakSet[Any] = weakref.WeakSet()

    def asynchronous(self) -> int:
        """The number of asynchronous channels, whose poller is at work as long as they live."""
        return sum(isinstance(channel, grpc.aio.Channel) for channel in self.channels)


class Lock:
    """A lock that is free in a forked child, whoever held it in the parent. A context manager."""

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Forget who holds it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


_locks: Final[weakref.WeakSet[Lock]] = weakref.WeakSet()
_inherited: Final[list[Any]] = []
_process = Process()


def process() -> Process:
    """Return what stands for this process: another object in each forked child."""
    return _process


def check_usable(model: str = "") -> None:
    """Check that gRPC can be used in this process. Raises ForkedProcess, which names the `model` to be called."""
    if _process.trouble:
        raise ForkedProcess(_process.trouble, model=model or None)


@contextmanager
def calling(model: str = "") -> Generator[None]:
    """Be at work in gRPC's core, from a thread that waits there. A fork that has begun is waited for.

    Raises:
        ForkedProcess: gRPC cannot be used in this process; see `check_usable`.
    """
    check_usable(model)
    here = _process
    with here.changes:
        here.changes.wait_for(lambda: not here.forks)
        here.calling += 1
    try:
        yield
    finally:
        with here.changes:
            here.calling -= 1
            here.changes.notify_all()


def made(channel: Any) -> None:
    """Know of a channel."""
    _process.channels.add(channel)


def _before() -> None:
    with _process.changes:
        _process.forks += 1
        _process.changes.wait_for(lambda: not _process.calling, _PATIENCE)
    if _process.asynchronous():
        gc.collect()  # one that is in a circle of garbage is as good as open


def _in_parent() -> None:
    with _process.changes:
        _process.forks -= 1
        _process.changes.notify_all()


def _in_child() -> None:
    global _process
    parent = _process
    _inherited.extend(parent.channels)
    _process = Process(is_child=True, trouble=parent.trouble or _trouble(parent))
    for lock in _locks:
        lock.renew()


def _trouble(parent: Process) -> str:
    if not parent.calling and not parent.asynchronous():
        return ""
    calls = "1 call was" if parent.calling == 1 else f"{parent.calling} calls were"
    what = f"{calls} under way" if parent.calling else "an AsyncClient was open"
    return f"this process was forked while {what} in its parent, which gRPC does not survive in the child: {_REMEDY}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
