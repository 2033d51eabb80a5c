"""Servers that are away for a while, at moments that a test chooses."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Container, Iterator

import grpc

from scripted.client_servers import Answer, ScriptedServer, scripted


class Outages:
    """Answers as `answer` does, but the calls of some numbers as a server that is away.

    Args:
        answer: of the other calls.
        away: numbers of calls, from 0.
    """

    def __init__(self, answer: Answer, away: Container[int]) -> None:
        self._answer = answer
        self._away = away
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            number = next(self._numbers)
        if number in self._away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the test's outage")
        return self._answer(request, context)


class EveryOther:
    """The numbers of every other call from the second on."""

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number % 2 == 1


@contextlib.contextmanager
def before(address: str, away: Container[int]) -> Iterator[ScriptedServer]:
    """A server that passes calls on to the one at `address`, which must come one at a time, with such outages."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=options) as channel:
        server: list[ScriptedServer] = []

        def pass_on(request: bytes, context: grpc.ServicerContext) -> bytes:
            method: Callable[..., bytes] = channel.unary_unary(server[0].methods[-1])
            return method(request)

        with scripted(Outages(pass_on, away)) as state:
            server.append(state)
            yield state
