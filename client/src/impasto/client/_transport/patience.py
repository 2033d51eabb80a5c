"""The policy for sending a call again, and for waiting for a server. All of it is here.

Every call of this API can be sent twice, because none changes anything on the server. gRPC's own retries are switched
off: they would count and wait beside these, and know neither of jobs nor of the many ways in which a connection breaks.

    failure                         any call                              a call of a job, after that
    ──────────────────────────────  ────────────────────────────────────  ─────────────────────────────────────────────
    UNAVAILABLE, or a connection    is sent again, `retries.attempts`     waits, once the server has answered the job:
    that broke under the call       times in all, with pauses of 0.1,     for `patience` seconds, with pauses of 0.2,
                                    0.3, 0.9, 2 ... s                     0.4, 0.8, 1 ... s
    RESOURCE_EXHAUSTED, or a batch  raises ServerOverloaded               waits in the same way, also before the first
    that other calls spoil                                                answer; takes its turn among the slots
    RESOURCE_EXHAUSTED, the memory  raises OutOfMemory                    is sent once more after a second, then raises;
    is full                                                               where the server has answered as large a call
                                                                          of a long job, waits as for any overload
    CANCELLED, ABORTED (a server    raises CallAborted                    waits, once the server has answered the job
    that stops)
    anything else                   raises                                raises

- One round is a call's attempts with their pauses. It takes at most the call's timeout; after each wait, a new round
  begins with the whole timeout.
- Before its server has answered a job, the job does not wait for it: the address may be wrong, which is said at once.
- Where every replica refuses the connection (TLS, or another protocol), waiting does not help: that is raised at once.
- A full queue of batches is UNAVAILABLE by its status and an overload by its words. It is treated as both: the call is
  sent again, and then waits as for an overloaded server.
- Pauses vary by chance, so that calls that were refused together do not come back together.
- `on_wait` is called about once a second, beginning with the first second of a wait, and with None at its end. A wait's
  beginning and end are logged, too.
- `slots` limits how many calls are under way at once, and lowers that number where a server is overloaded.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import grpc

from impasto.client import errors
from impasto.client._transport import forks
from impasto.client._transport.observing import LOGGER
from impasto.client.texts import printable

if TYPE_CHECKING:
    from typing_extensions import Self

    from impasto.client._transport.calls import Call
    from impasto.client.settings.values import Retries

ResultT = TypeVar("ResultT")

_RETRY_GROWTH: Final = 3
_FIRST_PAUSE: Final = 0.2
# An overloaded server has a free thread again at any moment: a client that rarely asks never finds it.
_LONGEST_PAUSE: Final = 1.0
_WORTH_TELLING: Final = 1.0
"""Seconds of waiting that nobody needs to be told of."""

_MEMORY_PAUSE: Final = 1.0
"""Seconds until a call is sent once more for which the server had no memory: those beside it may have ended by then."""

# A server that is told to stop cancels the calls that it still runs: that is CallAborted.
_PASSING: Final = (errors.ServerOverloaded, errors.ServerUnavailable, errors.CallAborted)


@dataclass(frozen=True, eq=False)
class Waiting:
    """A job waits for its server, and goes on where it is as soon as the server answers.

    Attributes:
        server: its address, as the client was given it.
        reason: the failure of the last attempt.
        since: when the first attempt failed, by `time.monotonic()`.
        patience: for how many seconds the job waits at most.
    """

    server: str
    reason: errors.CallError
    since: float
    patience: float

    @property
    def seconds(self) -> float:
        """The seconds that the job has waited so far."""
        return time.monotonic() - self.since

    @property
    def why(self) -> str:
        """The words for what the server does instead of its work."""
        return (
            "does not answer" if isinstance(self.reason, errors.ServerUnavailable) else "refuses work for now"
        )

    def __str__(self) -> str:
        at_most = "" if math.isinf(self.patience) else f" of at most {self.patience:g} s"
        return f"waiting for {self.server}, which {self.why}: {self.seconds:.0f} s{at_most}"


OnWait: TypeAlias = Callable[[Waiting | None], None]
"""Is called about once a second while a job waits, and with None when it goes on, or ends."""


class Patience:
    """The time that a job gives a server that is away or overloaded, each time.

    The parts of a greater job, such as the pictures of a folder, share one, also in several threads.

    Args:
        seconds: 0 or more; `math.inf` for no end.
        on_wait: told while parts wait, and when none waits any more.

    Attributes:
        met: whether the server has answered the job.
        sides: the longest sides of tiles that servers have the memory for, by model, where that was found out.
    """

    def __init__(self, seconds: float, on_wait: OnWait | None = None) -> None:
        self.seconds: Final = seconds
        self.met: bool = False
        self.sides: Final[dict[str, int]] = {}
        self._on_wait = on_wait
        self._waiting: dict[object, None] = {}  # in the order in which they began to wait
        self._first: Waiting | None = None
        self._lock = forks.Lock()

    def waits(self, part: object, waiting: Waiting) -> None:
        """Know that a part of the job waits. One of those that wait tells of it."""
        with self._lock:
            is_first = not self._waiting
            self._waiting[part] = None
            tells = next(iter(self._waiting)) is part
            if is_first:
                self._first = waiting
        if is_first:
            LOGGER.warning("%s", printable(f"a job is {waiting}; {waiting.reason}"))
        if tells and self._on_wait is not None:
            self._on_wait(waiting)

    def answered(self, part: object) -> None:
        """Know that the server answered a part of the job."""
        self.met = True
        self.ended(part, outcome="goes on")

    def ended(self, part: object, *, outcome: str = "ends") -> None:
        """Tell, if it waited, that a part does not wait any more, and what becomes of it."""
        with self._lock:
            was_last, first = list(self._waiting) == [part], self._first
            self._waiting.pop(part, None)
        if was_last and first is not None:
            LOGGER.info(
                "%s", printable(f"a job {outcome} after {first.seconds:.0f} s of waiting for {first.server}")
            )
        if was_last and self._on_wait is not None:
            self._on_wait(None)


class Attempts:
    """The attempts of one round: a call is sent again at once where the server is away.

    Args:
        retries: how many, and the pauses between them.
        timeout: seconds for all of them; None for no limit.
    """

    def __init__(self, retries: Retries, timeout: float | None) -> None:
        self._more = retries.attempts - 1
        self._pause = retries.first_pause
        self._longest_pause = retries.longest_pause
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Seconds for the attempt that begins now; None for no limit."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def pause_after(self, failure: errors.CallError) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        is_away = failure.code is grpc.StatusCode.UNAVAILABLE or isinstance(failure, errors.ConnectionLost)
        if not is_away or self._more == 0:
            return None
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311 - nothing secret
        left = self.left()
        if left is not None and pause >= left:
            return None
        self._more -= 1
        self._pause = min(_RETRY_GROWTH * self._pause, self._longest_pause)
        return pause


class Wait:
    """The waiting of one call of a job, between its rounds. A context manager: its end is the wait's.

    Args:
        patience: the job's.
        fits: the server has answered as large a call of the job, so it has the memory for this one.
    """

    def __init__(self, patience: Patience, *, fits: bool = False) -> None:
        self._patience = patience
        self._fits = fits
        self._lacked_memory = False
        self._since: float | None = None
        self._pause = _FIRST_PAUSE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._patience.answered if error is None else self._patience.ended)(self)

    def pause_after(self, failure: errors.CallError) -> float:
        """Seconds until the next round.

        Raises:
            CallError: the failure, where waiting does not mend it, or the patience is over.
        """
        patience = self._patience
        if not isinstance(failure, _PASSING):
            raise failure from failure.__cause__
        if not patience.met and not isinstance(failure, errors.ServerOverloaded):
            raise failure from failure.__cause__
        if isinstance(failure, errors.OutOfMemory) and not self._fits:
            if self._lacked_memory:
                raise failure from failure.__cause__
            self._lacked_memory = True
            return min(_MEMORY_PAUSE, patience.seconds)
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now + self._pause > self._since + patience.seconds:
            raise failure.in_words(
                f"{failure}; waited {patience.seconds:g} s for it, as the setting patience (IMPASTO_PATIENCE) says"
            ) from failure
        if now - self._since >= _WORTH_TELLING:
            patience.waits(
                self, Waiting(failure.address or "the server", failure, self._since, patience.seconds)
            )
        pause = self._pause * random.uniform(0.5, 1.5)  # noqa: S311 - nothing secret
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return pause


class PatienceWanted:
    """The step that a job yields to receive its Patience."""


def patiently(
    call: Call[ResultT], *, on_failure: Callable[[], None] = lambda: None
) -> Generator[PatienceWanted | Call[ResultT], Any, ResultT]:
    """Send a call of a job: its server may keep it waiting as long as the job's patience lasts.

    Args:
        call: what to send.
        on_failure: called each time before it is sent again.

    Raises:
        CallError: the last failure; or at once one that waiting does not mend, such as a message that is too large, and
            a server that is away before it has answered any call of the job.
    """
    patience: Patience = yield PatienceWanted()
    answer: ResultT = yield replace(call, patience=patience, on_failure=on_failure)
    return answer
