"""Cases for both servers: each is a function of a client, or of a kind of server, to a sentence on what it saw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import tensorflow as tf

from both_servers.differences import DIFFERENCES
from servers.model_servers import serving
from servers.official_stubs import OfficialClient, official_client

_NUMPY_RANKS = 64
"""The most dimensions that an array can have."""


@dataclass(frozen=True)
class Case:
    """A question to both servers.

    Attributes:
        name: what is asked, the name in the table of differences.
        ask: the question; the answer is a sentence that is the same whenever the server does the same.
    """

    name: str
    ask: Callable[..., str]


class Pair(NamedTuple):
    """A client of each server, over the same models."""

    real: OfficialClient
    local: OfficialClient


def compare(case: Case, *, real: str, local: str) -> None:
    """Hold what both servers did against the table of differences."""
    row = next((row for row in DIFFERENCES if row.case == case.name), None)
    found = f"{case.name}\n   real: {real}\n  local: {local}"
    if row is None:
        assert local == real, f"a difference that the table does not name: {found}"
    else:
        assert (real, local) == (row.real, row.local), f"the table says otherwise: {found}"


def outcome(call: Callable[[], Any]) -> str:
    """A call's status and words, or `OK` and what the response holds."""
    try:
        response = call()
    except grpc.RpcError as error:
        return tidy(f"{error.code().name} {error.details()}".strip())
    return tidy(f"OK {_text(response)}".strip())


def tidy(text: str) -> str:
    """The text without what differs from run to run: paths, ports, the suffixes of functions."""
    text = re.sub(r"/[^\s,;'\"}]*/(?=\w)", "…/", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "host:port", text)
    text = re.sub(r"_\d+(?=[\]}/ ]|$)", "_N", text)
    return " ".join(text.split())


def state_of(client: OfficialClient, name: str, version: int) -> str:
    """One version's state and error, as GetModelStatus gives them."""
    try:
        response = client.status({"name": name, "version": version})
    except grpc.RpcError as error:
        return str(error.code().name)
    (status,) = response.model_version_status
    word = type(status).State.Name(status.state)
    code = status.status.error_code
    return f"{word} with {grpc_name(code)}" if code else f"{word} without an error"


def grpc_name(number: int) -> str:
    """The name of a status's number."""
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)


def is_open(port: int) -> bool:
    """Whether something listens there."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lines_with(log: Path, *words: str) -> str:
    """The first line of a log that holds one of the words, from that word on."""
    for line in log.read_text(errors="replace").splitlines():
        for word in words:
            if word in line:
                return tidy(line[line.index(word) :])
    return "nothing"


@contextmanager
def served(kind: str, models: Path, **flags: Any) -> Iterator[OfficialClient]:
    """A client of a server of that kind."""
    with serving(kind, models, **flags) as server, official_client(server.address) as client:
        yield client


def broken_version(root: Path, name: str, version: int) -> Path:
    """Makes a version that no server can load."""
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"no model")
    return folder


def _text(response: Any) -> str:
    outputs = getattr(response, "outputs", None)
    if outputs is None:
        return " ".join(str(response).split())
    tensors = (f"{alias}: {_tensor(proto)}" for alias, proto in sorted(outputs.items()))
    version = response.model_spec.version.value
    return f"{response.model_spec.signature_name} {version} {', '.join(tensors)}"


def _tensor(proto: Any) -> str:
    name = str(tf.dtypes.as_dtype(proto.dtype).name)
    if not proto.HasField("tensor_shape"):
        return f"{name} without a shape"
    if name == "variant":
        return name
    rank = len(proto.tensor_shape.dim)
    if rank > _NUMPY_RANKS:
        return f"{name} of rank {rank}"
    return f"{name} {tf.make_ndarray(proto).tolist()!r}"
