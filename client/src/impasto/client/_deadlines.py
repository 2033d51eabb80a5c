"""How long a call may take."""

from __future__ import annotations

import math
from typing import Final

from impasto.client._calls import METADATA, STATUS, Call
from impasto.client._settings_forms import MOST_SECONDS
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
        ValueError: `timeout` is not more than 0, or more than a limit and not endless.
    """
    if timeout is None:
        return timeouts.for_("status" if call.method in _QUICK else kind)
    check_timeout(timeout)
    return None if timeout == math.inf else timeout


def check_timeout(timeout: float) -> None:
    """Raises ValueError if `timeout` is not more than 0, or is more than a limit and not endless."""
    if not 0 < timeout <= MOST_SECONDS and timeout != math.inf:
        raise ValueError(
            f"timeout is {timeout}; it must be seconds, more than 0, at most {MOST_SECONDS}, or math.inf for no limit"
        )
