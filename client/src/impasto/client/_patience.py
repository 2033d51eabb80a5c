"""The patience of a job: for how long it waits for its server, and who is told that it waits."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from impasto.client.errors import CallError, ServerUnavailable


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
    reason: CallError
    since: float
    patience: float

    @property
    def seconds(self) -> float:
        """The seconds that the job has waited so far."""
        return time.monotonic() - self.since

    @property
    def why(self) -> str:
        """The words for what the server does instead of its work."""
        return "does not answer" if isinstance(self.reason, ServerUnavailable) else "refuses work for now"

    def __str__(self) -> str:
        at_most = "" if math.isinf(self.patience) else f" of at most {self.patience:g} s"
        return f"waiting for {self.server}, which {self.why}: {self.seconds:.0f} s{at_most}"


OnWait: TypeAlias = Callable[[Waiting | None], None]
"""Is called about once a second while a job waits, and with None when it goes on, or ends."""


class Patience:
    """The time that a job gives a server that is away: none before it has been answered, as the address may be
    wrong; then so many seconds each time.

    The parts of a greater job, such as the pictures of a folder, share one, also in several threads.

    Args:
        seconds: 0 or more.
        on_wait: told while parts wait, and when none waits any more.
    """

    def __init__(self, seconds: float, on_wait: OnWait | None = None) -> None:
        self.seconds: Final = seconds
        self.met = False
        self._on_wait = on_wait
        self._waiting: set[object] = set()
        self._lock = threading.Lock()

    def waits(self, part: object, waiting: Waiting) -> None:
        """Tell that a part of the job waits."""
        with self._lock:
            self._waiting.add(part)
        if self._on_wait is not None:
            self._on_wait(waiting)

    def answered(self, part: object) -> None:
        """Know that the server answered a part of the job."""
        self.met = True
        self.ended(part)

    def ended(self, part: object) -> None:
        """Tell, if it waited, that a part does not wait any more."""
        with self._lock:
            was_last = self._waiting == {part}
            self._waiting.discard(part)
        if was_last and self._on_wait is not None:
            self._on_wait(None)


@dataclass(frozen=True)
class PatienceWanted:
    """The step that a job yields to receive its Patience."""
