"""Send a call again while a server is away or overloaded.

Outlasting a server is what a long job does about each of its calls: the state is with the client and each call can be
sent twice, so a job goes on where it was as soon as the server, or another one behind the same address, answers again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from impasto.client._calls import Call
from impasto.client._jobs import Job, Pause
from impasto.client.errors import CallAborted, CallError, ServerOverloaded, ServerUnavailable

PATIENCE: Final = 60.0
"""Seconds that a server may be away, or refuse work, in the middle of a job."""

_FIRST_PAUSE: Final = 0.2
# A server that is overloaded has a free thread again at any moment: who asks seldom never meets one.
_LONGEST_PAUSE: Final = 1.0

ResultT = TypeVar("ResultT")


def patiently(
    call: Call[ResultT],
    *,
    unavailable: bool = True,
    patience: float = PATIENCE,
    on_failure: Callable[[], None] = lambda: None,
) -> Job[ResultT]:
    """Send `call`, again and again with growing pauses while the server is overloaded or away.

    Args:
        call: what to send.
        unavailable: whether to outlast a server that does not answer, or stops, as well as one that is overloaded.
        patience: seconds after the first failure, beyond which no further attempt is made.
        on_failure: called after each failure that is waited out.

    Raises:
        CallError: the last failure, or at once one that waiting does not mend, as of a message that is too large.
    """
    passing: tuple[type[CallError], ...] = (ServerOverloaded,)
    if unavailable:
        # A server that is told to stop cancels the calls that it still runs: that is CallAborted.
        passing = (ServerOverloaded, ServerUnavailable, CallAborted)
    call = replace(call, patient=True)
    deadline: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            answer: ResultT = yield call
        except passing:
            now = time.monotonic()
            deadline = now + patience if deadline is None else deadline
            if now + pause > deadline:
                raise
        else:
            return answer
        on_failure()
        yield _about(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _about(seconds: float) -> Pause:
    """So long, more or less: those that were refused together shall not come back together."""
    return Pause(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - nothing secret
