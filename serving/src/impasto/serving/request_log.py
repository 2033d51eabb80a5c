"""One line in the log for each call."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import grpc

REQUEST_LOG: Final = logging.getLogger("impasto.serving.requests")


def log_request(
    method: str, request: Any, *, started: float, code: grpc.StatusCode, message: str = ""
) -> None:
    """Logs a call that ended.

    Args:
        method: the gRPC method's name.
        request: the request; None if it did not parse.
        started: `time.monotonic()` when it came in.
        code: the status it was answered with.
        message: the status's message.
    """
    spec = getattr(request, "model_spec", None)  # a reload has none
    model = "-" if spec is None else spec.name or "-"
    elapsed = (time.monotonic() - started) * 1000
    REQUEST_LOG.info("%s %s %s in %.1f ms %s", method, model, code.name, elapsed, message)
