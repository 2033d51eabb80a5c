"""How long a call may take."""

from __future__ import annotations

import math
from typing import Final

from impasto.client._calls import METADATA, STATUS, Call
from impasto.client.settings import CallKind, Timeouts

_QUICK: Final = (METADATA, STATUS)


def call_timeout(
    call: Call[object], timeout: float | None, *, kind: CallKind, timeouts: Timeouts
) -> float | None:
    """The timeout of a call in seconds as gRPC takes it: None for no limit.

    Args:
        call: what is sent. Status and metadata are quick, also where a job of another kind asks for them.
        timeout: what the caller wants; None for what the settings say.
        kind: what the call is for.
        timeouts: the settings.

    Raises:
        ValueError: `timeout` is not more than 0.
    """
    if timeout is None:
        return timeouts.for_("status" if call.method in _QUICK else kind)
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout}; it must be more than 0 seconds, or None for the client's")
    return None if math.isinf(timeout) else timeout
