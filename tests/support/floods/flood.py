"""Many raw calls at once, and what each was answered."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True)
class Outcome:
    """One call that has ended.

    Attributes:
        method: the gRPC method's path.
        sent: the request's bytes.
        code: the status.
        details: the status's message.
        answer: the response's bytes; None unless the status is OK.
    """

    method: str
    sent: bytes
    code: grpc.StatusCode
    details: str
    answer: bytes | None


def send_all(
    channel: grpc.Channel, requests: Iterable[tuple[str, bytes]], *, in_flight: int, timeout: float
) -> list[Outcome]:
    """Send raw requests, several at a time.

    Args:
        channel: to the server.
        requests: the method's path and the bytes of each.
        in_flight: how many are on their way at once.
        timeout: of each, in seconds.

    Returns:
        The outcomes in the order of the requests.
    """
    free = threading.Semaphore(in_flight)
    calls: list[tuple[str, bytes, Any]] = []
    for method, sent in requests:
        free.acquire()
        send = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        call = send.future(sent, timeout=timeout)
        call.add_done_callback(lambda _: free.release())
        calls.append((method, sent, call))
    return [_outcome(method, sent, call) for method, sent, call in calls]


def _outcome(method: str, sent: bytes, call: Any) -> Outcome:
    code = call.code()
    answer = call.result() if code is grpc.StatusCode.OK else None
    return Outcome(method, sent, code, call.details() or "", answer)
