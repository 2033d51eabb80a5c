"""The questions to a server and to each of its replicas: the models, and what they say about themselves."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from impasto.client import Client, Model, ModelMetadata, Settings, State, TensorInfo, VersionStatus, errors
from impasto.client._transport.patience import Patience, Wait
from impasto.client.array_text import told_values
from impasto.client.cli.output import print_line
from impasto.client.settings.addresses import endpoints, join
from impasto.client.texts import LONGEST, printable


def look_up(client: Client, model: Model) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    with Wait(Patience(client.settings.patience)) as wait:
        while True:
            try:
                return client.metadata(model)
            except errors.CallError as error:
                time.sleep(wait.pause_after(error))


Description = dict[str, Any]
"""The outputs of `describe` as JSON values."""

_SIGNATURE: Final = "describe"
_HEADLINE: Final = ("source", "backbone", "network", "factors", "weights")
_ANSWERS: Final = ("size", "sizes")
"""Outputs that answer a question about a picture, and none is asked here."""


def description(client: Client, metadata: ModelMetadata) -> Description | None:
    """Return what the metadata's version says of itself; None where it has nothing to say. Raises CallError."""
    signature = metadata.signatures.get(_SIGNATURE)
    if signature is None or any(info.default is None for info in signature.inputs.values()):
        return None
    outputs = client.predict(Model(metadata.model, metadata.version), {}, signature=_SIGNATURE)
    return {name: told_values(array) for name, array in sorted(outputs.items()) if name not in _ANSWERS}


def show_headline(model: str, found: Description) -> None:
    """A line with the network and its weights, as far as the model tells."""
    told = [
        f"{name} {_shown(found[name])}" if name == "factors" else _shown(found[name])
        for name in _HEADLINE
        if name in found
    ]
    if told:
        print_line(f"{printable(model)}: {', '.join(told)}")


def show_description(model: str, found: Description) -> None:
    """All that the model tells, a line each."""
    print_line(f"\n{printable(model)} describes itself")
    for name, value in found.items():
        print_line(f"  {printable(name)} {_shown(value)}")


def _shown(value: Any) -> str:
    return printable(_words(value), longest=LONGEST)


def _words(value: Any) -> str:
    """Return a value, or those of nested lists, with blanks between."""
    return " ".join(map(_words, cast(list[object], value))) if isinstance(value, list) else str(value)


_NOBODY_THERE = (errors.ServerUnavailable, errors.TlsError, errors.DeadlineExceeded)


class Served(NamedTuple):
    """A model on a server.

    Attributes:
        name: the model's.
        versions: newest first; none if it is not served.
        metadata: of the newest version that can be called.
        described: what that version says about itself.
        error: why the rest is not known.
    """

    name: str
    versions: tuple[VersionStatus, ...] = ()
    metadata: ModelMetadata | None = None
    described: Description | None = None
    error: errors.CallError | None = None

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table: model, version, state, and signatures or error."""
        if not self.versions:
            return [(self.name, "-", "not served" if self.error is None else "not known", "")]
        return [
            (self.name, str(v.version), v.state.name, v.error or self._signatures(v)) for v in self.versions
        ]

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        signatures = () if self.metadata is None else self.metadata.signatures.values()
        return {
            "model": self.name,
            "versions": [
                {"version": v.version, "state": v.state.name, "error": v.error} for v in self.versions
            ],
            "description": self.described,
            "signatures": {
                signature.name: {
                    "inputs": [_tensor_as_json(info) for info in signature.inputs.values()],
                    "outputs": [_tensor_as_json(info) for info in signature.outputs.values()],
                }
                for signature in signatures
            },
            **({} if self.error is None else {"error": str(self.error)}),
        }

    def _signatures(self, status: VersionStatus) -> str:
        if self.metadata is None or status.version != self.metadata.version:
            return ""
        return " ".join(self.metadata.signatures)


def served(client: Client, name: str) -> Served:
    """Ask a server about one name. What it does not tell is left out, and the error says why.

    Behind one address there may be several servers, of which one knows a version that the next one does not.

    Raises:
        CallError: nobody answers there.
    """
    try:
        versions = client.status(name)
    except errors.ModelNotFound:
        return Served(name)
    except _NOBODY_THERE:
        raise
    except errors.CallError as error:
        return Served(name, error=error)
    metadata, described = None, None
    if any(version.state is State.AVAILABLE for version in versions):
        try:
            metadata = client.metadata(name)
            described = description(client, metadata)
        except errors.CallError as error:
            return Served(name, versions, metadata, error=error)
    return Served(name, versions, metadata, described)


def _tensor_as_json(info: TensorInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": info.name, "dtype": info.dtype, "shape": info.shape}
    if info.default is not None:
        entry["default"] = told_values(info.default)
    return entry


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
    error: errors.CallError | None = None


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
        except errors.CallError as error:
            return Asked(client.address, None, error)

    # The clients are closed first if the person does not want to wait: that ends their calls.
    with ThreadPoolExecutor(len(each)) as threads, ExitStack() as clients:
        opened = [clients.enter_context(Client(settings=one)) for one in each]
        asked = list(threads.map(ask, opened))
    failures = [one.error for one in asked if one.error is not None]
    if len(failures) == len(asked):
        raise failures[0]
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
    except (OSError, UnicodeError):
        return []  # as the call will say
    family = min((entry[0] for entry in found), key=lambda family: family != socket.AF_INET)
    return sorted({str(entry[4][0]) for entry in found if entry[0] == family})
