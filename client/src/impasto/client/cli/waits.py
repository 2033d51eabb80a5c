"""The sign that a job waits for its server: a line below the bar, or lines where there is no terminal."""

from __future__ import annotations

import math
import threading
import time

from impasto.client._transport.patience import Waiting
from impasto.client.cli.streams import note


class Waits:
    """The waits of a command's jobs. It is called as the client's `on_wait`, perhaps from several threads.

    Args:
        quiet: say nothing.

    Attributes:
        now: who is waited for at the moment; None for nobody. A bar that is drawn shows it.
        drawn: whether a bar is.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.now: Waiting | None = None
        self.drawn = False
        self._quiet = quiet
        self._over = 0.0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """The seconds that the command has waited in all."""
        now = self.now
        return self._over + (0.0 if now is None else now.seconds)

    def __call__(self, waiting: Waiting | None) -> None:
        """A job waits; None: no job waits any more."""
        with self._lock:
            before, self.now = self.now, _longer(self.now, waiting)
            if waiting is None and before is not None:
                self._over += before.seconds
        if self._quiet or self.drawn:
            return
        if before is None and waiting is not None:
            at_most = "" if math.isinf(waiting.patience) else f", for {waiting.patience:g} s at most"
            note(f"impasto: {waiting.server} {waiting.why}; waiting for it{at_most}")
        elif before is not None and waiting is None:
            note(f"impasto: waited {time.monotonic() - before.since:.0f} s for {before.server}")


def _longer(one: Waiting | None, other: Waiting | None) -> Waiting | None:
    """Return the wait of several jobs' that began first."""
    if one is None or other is None:
        return other
    return min(one, other, key=lambda waiting: waiting.since)
