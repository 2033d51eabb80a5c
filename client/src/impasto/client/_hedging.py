"""Send a call again when its answer is late, and take whichever answer comes first.

gRPC's core, on which grpcio stands, knows no hedging policy: it ignores one in a service config. So this is done here,
for synchronous and asynchronous calls by the same rules:

1. The call is sent. If it is answered, or fails, within `hedge` seconds, that is the result. (gRPC has tried again by
   itself by then where the server was unavailable.)
2. Otherwise it is sent once more, with what is left of its timeout, if the budget grants it; and a third time after
   another `hedge` seconds. Round robin gives each the next replica, which, where other calls come between, may be the
   one that is late: hence the third.
3. The first success is the result, and the other attempts are cancelled. So are they after a failure that any replica
   would give (`is_final`); after another failure those under way are waited for, and the last one's is raised.

A model server does not stop working on a call that is cancelled: it works for nothing until it is done or the call's
timeout has passed. That is the price, and the budget limits it: after the first ten, further attempts are at most a
tenth of all calls. When every replica is slow, hedging thus does not double the load.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

ATTEMPTS: Final = 3
"""How often a call is sent at most, the first time included."""

_SHARE: Final = 0.1
_MOST_SAVED: Final = 10.0
_SHORTEST_WAIT: Final = 0.05  # seconds

_ANOTHER_MAY_ANSWER: Final = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,  # by a server that stops
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)


def is_final(code: grpc.StatusCode | None) -> bool:
    """Whether an attempt that ended with this status decides the call while another one is under way."""
    return code not in _ANOTHER_MAY_ANSWER


class Hedging:
    """When a further attempt is sent. Threads may share one.

    Args:
        seconds: how late an answer must be; `math.inf` for never.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._saved = _MOST_SAVED
        self._lock = threading.Lock()

    def delay(self, timeout: float | None) -> float | None:
        """Seconds until each further attempt of a call with this timeout; None if there is to be none."""
        return self._seconds if self._seconds < (math.inf if timeout is None else timeout) else None

    def begin(self) -> None:
        """A call is sent: a tenth of a further attempt is saved."""
        with self._lock:
            self._saved = min(_MOST_SAVED, self._saved + _SHARE)

    def granted(self) -> bool:
        """Whether a further attempt may be sent now; it is then spent."""
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            return True


def asked_again(wait: float) -> float:
    """Seconds until a budget that granted nothing after `wait` is asked again: twice as many, and never so few that
    asking is all that the call does."""
    return max(2 * wait, _SHORTEST_WAIT)


def first_answer(
    start: Callable[[float | None], Any], *, timeout: float | None, delay: float, hedging: Hedging
) -> Any:
    """Send a call, and again while it is late; the attempt that decides it, which is done.

    Args:
        start: sends it with the timeout that it is given, and returns gRPC's future, which is also a grpc.Call.
        timeout: seconds for all attempts together; None for no limit.
        delay: seconds from one attempt to the next.
        hedging: grants each but the first.
    """
    started = time.monotonic()
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    attempts: list[Any] = []
    failed = 0
    wait = delay

    def attempt(seconds: float | None) -> None:
        attempts.append(start(seconds))
        attempts[-1].add_done_callback(ended.put)

    hedging.begin()
    try:
        attempt(timeout)
        while True:
            more = len(attempts) < ATTEMPTS
            try:
                decided = ended.get(timeout=wait if more else None)
            except queue.Empty:
                left = None if timeout is None else timeout - (time.monotonic() - started)
                if (left is None or left > 0) and hedging.granted():
                    attempt(left)
                    wait = delay
                else:
                    wait = asked_again(wait)
                continue
            failed += 1
            if is_final(decided.code()) or failed == len(attempts):
                return decided
    finally:
        for each in attempts:
            each.cancel()  # does nothing to one that is done
