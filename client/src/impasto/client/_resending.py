"""Send a call again whose connection broke under it.

gRPC sends a call again by itself where its status is UNAVAILABLE (the channel's retry policy). A broken connection may
have another one, UNKNOWN or INTERNAL, which gRPC takes for the server's word. Such a call is sent again here, as often
and with the same pauses, since no call of this API changes anything on the server.
"""

from __future__ import annotations

import random
import time

import grpc

from impasto.client.errors import CallError, ConnectionLost
from impasto.client.settings import Retries

_GROWTH = 3


class Attempts:
    """The attempts of one call.

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

    def pause_after(self, failure: CallError) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        sent_by_grpc = failure.code is grpc.StatusCode.UNAVAILABLE
        if not isinstance(failure, ConnectionLost) or sent_by_grpc or self._more == 0:
            return None
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311 - as gRPC varies it; nothing secret
        left = self.left()
        if left is not None and pause >= left:
            return None
        self._more -= 1
        self._pause = min(_GROWTH * self._pause, self._longest_pause)
        return pause
