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
from impasto.client._jobs.steps import Pause, Steps
from impasto.client._patience import Patience, PatienceWanted, Waiting
from impasto.client.errors import CallAborted, CallError, ServerOverloaded, ServerUnavailable

_FIRST_PAUSE: Final = 0.2
# An overloaded server has a free thread again at any moment: a client that rarely asks never finds it.
_LONGEST_PAUSE: Final = 1.0

_WORTH_TELLING: Final = 1.0
"""Seconds of waiting that nobody needs to be told of."""

# A server that is told to stop cancels the calls that it still runs: that is CallAborted.
_PASSING: Final = (ServerOverloaded, ServerUnavailable, CallAborted)

ResultT = TypeVar("ResultT")


def patiently(call: Call[ResultT], *, on_failure: Callable[[], None] = lambda: None) -> Steps[ResultT]:
    """Send `call`, again and again with growing pauses while the server is overloaded or away, as long as the job's
    patience lasts.

    Args:
        call: what to send.
        on_failure: called after each failure that is waited out.

    Raises:
        CallError: the last failure; or at once one that waiting does not mend, such as a message that is too large, and
            a server that is away before it has answered any call of the job.
    """
    patience: Patience = yield PatienceWanted()
    answer: ResultT = yield from outlasting(call, patience, on_failure=on_failure)
    return answer


def outlasting(
    call: Call[ResultT], patience: Patience, *, on_failure: Callable[[], None] = lambda: None
) -> Steps[ResultT]:
    """Do what `patiently` does, with this patience."""
    call = replace(call, patient=True)
    since: float | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            answer: ResultT = yield call
        except _PASSING as error:
            if not patience.met and not isinstance(error, ServerOverloaded):
                raise
            now = time.monotonic()
            since = now if since is None else since
            if now + pause > since + patience.seconds:
                raise _given_up(error, patience) from error
            failure = error
        else:
            return answer
        on_failure()
        if now - since >= _WORTH_TELLING:
            yield Waiting(failure.address or "the server", failure, since, patience.seconds)
        yield _about(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _given_up(error: CallError, patience: Patience) -> CallError:
    return type(error)(
        f"{error}; waited {patience.seconds:g} s for it, as the setting patience (IMPASTO_PATIENCE) says",
        code=error.code,
        details=error.details,
        address=error.address,
        model=error.model,
    )


def _about(seconds: float) -> Pause:
    """So long, more or less: those that were refused together shall not come back together."""
    return Pause(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - nothing secret
