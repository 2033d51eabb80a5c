"""Give work to a pool's threads, also at the end of a program, and wait for it so that Ctrl-C is heard."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

ResultT = TypeVar("ResultT")

_NO_MORE: Final = "after interpreter shutdown"
_ROUND: Final = 0.1
"""Seconds after which a wait looks whether a signal came, as gRPC's own do."""


def wait_until(has_come: Callable[[float], bool]) -> None:
    """Wait without end, in rounds between which the handlers of signals run.

    The system may give Ctrl-C to any thread that asks for signals just then, such as one that begins another thread.
    Python notes it, and raises it in the main thread at its next instruction: there is none while it waits.

    Args:
        has_come: waits for so many seconds at most, and tells whether it has come.
    """
    while not has_come(_ROUND):
        pass


def submitted(threads: ThreadPoolExecutor, work: Callable[..., ResultT], *args: Any) -> Future[ResultT]:
    """Have a thread of a pool do some work, or do it here where Python gives no thread any more.

    Once the main thread has ended, pools take no work, although other threads of the program go on.
    """
    try:
        return threads.submit(work, *args)
    except RuntimeError as error:
        if _NO_MORE not in str(error):  # such as that the system has no more threads: the work is queued then
            raise
    done: Future[ResultT] = Future()
    try:
        done.set_result(work(*args))
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for, as of any other
        done.set_exception(error)
    return done
