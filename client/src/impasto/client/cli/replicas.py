"""The same question to each replica of a server: they may differ, and one that does not answer hides no other."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from impasto.client import Client, Settings
from impasto.client.errors import CallError
from impasto.client.settings.addresses import endpoints, join

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True)
class Asked(Generic[AnswerT]):
    """A replica, and what it said.

    Attributes:
        server: its address.
        answer: None where there is none.
        error: why there is none.
    """

    server: str
    answer: AnswerT | None
    error: CallError | None = None


def ask_each(settings: Settings, question: Callable[[Client], AnswerT]) -> list[Asked[AnswerT]]:
    """Put a question to each replica, to all at once.

    Args:
        settings: of the server.
        question: asks one replica; what it raises is that replica's error.

    Raises:
        CallError: no replica answered; the error of the first.
    """
    each = replicas(settings)

    def ask(client: Client) -> Asked[AnswerT]:
        try:
            return Asked(client.address, question(client))
        except CallError as error:
            return Asked(client.address, None, error)

    # The clients are closed first if the person does not want to wait: that ends their calls.
    with ThreadPoolExecutor(len(each)) as threads, ExitStack() as clients:
        opened = [clients.enter_context(Client(settings=one)) for one in each]
        asked = list(threads.map(ask, opened))
    errors = [one.error for one in asked if one.error is not None]
    if len(errors) == len(asked):
        raise errors[0]
    return asked


def replicas(settings: Settings) -> Sequence[Settings]:
    """The settings of each replica: of those with commas between, or of the addresses that a name has."""
    found = endpoints(settings.address)
    if len(found) > 1:
        return [replace(settings, address=join(*endpoint)) for endpoint in found]
    numbers = _numbers(*found[0]) if found else []
    if len(numbers) < 2:
        return [settings]
    host, port = found[0]
    tls = settings.tls
    if tls is not None and tls.server_name is None:
        tls = replace(tls, server_name=host)  # which the certificates are for, not the numbers
    return [replace(settings, address=join(number, port), tls=tls) for number in numbers]


def _numbers(host: str, port: int) -> list[str]:
    """The addresses of a host, of one family: a machine that has one of each is no two replicas."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # as the call will say
    family = min((entry[0] for entry in found), key=lambda family: family != socket.AF_INET)
    return sorted({str(entry[4][0]) for entry in found if entry[0] == family})
