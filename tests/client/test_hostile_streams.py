"""Answers whose headers, trailers and frames are what no gRPC server sends: each is one error, and soon."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from impasto.client import AsyncClient, Client, ImpastoError, Retries, Settings
from impasto.client.cli import run
from impasto.client.errors import (
    ConnectionLost,
    DecodeError,
    MessageTooLarge,
    ModelNotFound,
    ServerFault,
    ServerOverloaded,
)
from scripted.raw_http2 import DATA, END_HEADERS, END_STREAM, HEADERS, Act, Stream, raw_server

SETTINGS = Settings(patience=0.0, retries=Retries(attempts=1))
HEADER = {":status": "200", "content-type": "application/grpc"}
EMPTY = b"\0" + struct.pack(">I", 0)

Trailers = Sequence[tuple[bytes, bytes]]


def message(data: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """The bytes of a message with its prefix, which may lie."""
    return bytes([flag]) + struct.pack(">I", len(data) if length is None else length) + data


def block(headers: Trailers) -> bytes:
    """Headers as literals, of any bytes and length."""
    return b"".join(b"\0" + _length(name) + _length(value) for name, value in headers)


def _length(text: bytes) -> bytes:
    """A string of HPACK."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    out, rest = bytearray([127]), len(text) - 127
    while rest >= 128:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest]) + text


def answering(trailers: Trailers, body: bytes = b"", **headers: str) -> Act:
    """Sends this body and these trailers."""

    def act(stream: Stream) -> None:
        stream.headers({**HEADER, **{name.replace("_", "-"): value for name, value in headers.items()}})
        if body:
            stream.send(DATA, body)
        stream.send(HEADERS, block(trailers), flags=END_HEADERS | END_STREAM)

    return act


OK = (b"grpc-status", b"0")
FAULT = (b"grpc-status", b"13")

CASES: dict[str, tuple[Act, type[ImpastoError]]] = {
    "words that are no UTF-8, escaped": (
        answering([FAULT, (b"grpc-message", b"%ff%fe%1b[2J%zz%e2%80%ae%")]),
        ServerFault,
    ),
    "words that are no UTF-8, raw": (answering([FAULT, (b"grpc-message", b"\xff\xfe\x1b[2J")]), ServerFault),
    "words without end": (answering([FAULT, (b"grpc-message", b"w" * 7000)]), ServerFault),
    "odd trailers": (answering([FAULT, (b"x-odd", b"\xff\x1b[2J")]), ServerFault),
    # gRPC counts 32 bytes more for each, and refuses by lot between 8 and 16 KiB: these are beyond.
    "trailers without end": (answering([FAULT, *[(b"x-odd", b"a" * 10)] * 500]), ServerOverloaded),
    "details that are no base64": (
        answering([FAULT, (b"grpc-status-details-bin", b"!\x1b!")]),
        ConnectionLost,
    ),
    "two statuses": (answering([OK, (b"grpc-status", b"5")], EMPTY), ModelNotFound),
    "a message of 4 GiB to come": (answering([OK], message(b"", length=2**32 - 1)), MessageTooLarge),
    "half a message": (answering([OK], message(b"abc", length=30)), DecodeError),
    "a flag that is none": (answering([OK], message(b"abc", flag=7)), DecodeError),
    "compressed by nothing": (answering([OK], message(b"abc", flag=1)), ServerFault),
    "compressed by what is no gzip": (
        answering([OK], message(b"abc", flag=1), grpc_encoding="gzip"),
        ServerFault,
    ),
    "compressed by what nobody knows": (
        answering([OK], message(b"abc", flag=1), grpc_encoding="b\x1b[2J"),
        ConnectionLost,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_that_breaks_the_protocol_is_one_error_that_is_safe_to_show(case: str) -> None:
    act, kind = CASES[case]
    with raw_server([act]) as server:
        with Client(server.address, settings=SETTINGS, timeout=60) as client, pytest.raises(kind) as caught:
            client.status("half")
        check_safe(str(caught.value))

        async def call() -> Any:
            async with AsyncClient(server.address, settings=SETTINGS, timeout=60) as client:
                await client.status("half")

        with pytest.raises(kind) as caught:
            asyncio.run(call())
        check_safe(str(caught.value))


@pytest.mark.parametrize("case", CASES)
def test_the_command_line_says_it_in_lines_of_its_own(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    with raw_server([CASES[case][0]]) as server:
        assert run(["status", "half", "--server", server.address]) in (3, 4)
    said = capfd.readouterr()
    assert said.out == ""
    assert "impasto: " in said.err
    assert "Traceback" not in said.err
    for line in said.err.splitlines():
        check_safe(line)


def check_safe(text: str) -> None:
    assert not set(text) & set("\x1b\x07\r\x7f\x9b\u202e\n")
    assert len(text) < 5000
