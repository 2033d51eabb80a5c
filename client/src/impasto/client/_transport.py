"""Send calls over a channel and wait for their answers."""

from __future__ import annotations

from typing import TypeVar, cast

import grpc

from impasto.client import channel
from impasto.client._calls import Call
from impasto.client._failures import call_error

ResultT = TypeVar("ResultT")


class SyncTransport:
    """A channel that sends one Call at a time for each thread that asks; threads may share it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = channel.open_channel(address)

    def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """The parsed answer. Raises CallError; an answer that cannot be read is a DecodeError."""
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(call.method)
        try:
            payload = method(call.request, timeout=timeout)
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)  # what every failed unary call raises is both
            raise call_error(call, failed.code(), failed.details() or "", address=self.address) from error
        return call.parse(payload)

    def close(self) -> None:
        """Drop the connections; calls in flight are cancelled."""
        self._channel.close()
