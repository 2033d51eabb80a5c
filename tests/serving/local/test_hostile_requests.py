"""Requests that ask for too much, or never end: the server refuses them, answers the others, and stays small."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework import types_pb2

from both_servers.answers import tensor
from floods import hostile_requests
from processes.forked_scripts import run_forked_script
from processes.watched_process import MEGABYTE, needs_proc, usage
from scripted.raw_http2 import DATA, END_HEADERS, HEADERS, SETTINGS, frame, header_block
from servers.configurations import model, reload
from servers.model_servers import server_process, serving
from servers.official_stubs import OfficialClient, official_client, outputs
from toys import toy_models

LOCAL_SERVER_ONLY = "budgets that TensorFlow Serving does not have: docs/local-server.md"

X = np.array([1, 2], np.float32)
HALF_A_MESSAGE = b"\0\0\0\0\x64"

REQUESTS = 60
"""To each method; `make fuzz` sends thousands to each."""

FLOAT, STRING, COMPLEX = types_pb2.DT_FLOAT, types_pb2.DT_STRING, types_pb2.DT_COMPLEX128


def refusal(client: OfficialClient, signature: str, proto: object, *, model: str = "echo") -> str:
    spec = {"name": model, "signature_name": signature} if signature else model
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(spec, {"x": proto})
    return f"{caught.value.code().name} {caught.value.details()}"


@contextmanager
def half_sent(port: int, method: str, count: int, begun: bytes = HALF_A_MESSAGE) -> Iterator[socket.socket]:
    """Calls whose headers have arrived and whose message has only begun, all on one connection, which is given."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        for number in range(count):
            headers = {
                ":method": "POST",
                ":scheme": "http",
                ":path": method,
                ":authority": "x",
                "content-type": "application/grpc",
                "te": "trailers",
            }
            stream = 2 * number + 1
            connection.sendall(frame(HEADERS, END_HEADERS, stream, header_block(headers)))
            connection.sendall(frame(DATA, 0, stream, begun))
        # An answered ping: what was sent before it has been read.
        connection.sendall(frame(6, 0, 0, b"12345678"))
        received = b""
        while frame(6, 1, 0, b"12345678") not in received:
            received += connection.recv(65536)
        yield connection


@needs_proc
def test_a_tensor_of_another_dtype_is_refused_before_its_values_are_repeated(tmp_path: Path) -> None:
    toy_models.half_plus_two(tmp_path)
    with server_process(tmp_path) as server, official_client(server.address) as client:
        client.predict("half", {"x": X})
        before = usage(server.pid).peak
        said = refusal(client, "", tensor(COMPLEX, (1 << 24,), dcomplex_val=[1.0, 1.0]), model="half")
        assert said == "INVALID_ARGUMENT Expects arg[0] to be float but complex128 is provided"
        said = refusal(client, "", tensor(STRING, (1 << 24,), string_val=[b"a"]), model="half")
        assert said == "INVALID_ARGUMENT Expects arg[0] to be float but string is provided"
        assert usage(server.pid).peak - before < 64 * MEGABYTE


@pytest.mark.parametrize(
    ("signature", "proto"),
    [
        ("complex128", tensor(COMPLEX, (1 << 23,), dcomplex_val=[1.0, 1.0])),
        ("string", tensor(STRING, (1 << 22,), string_val=[b"a"])),
        ("string", tensor(STRING, (1 << 12,), string_val=[b"a" * (1 << 15)])),
        ("string", tensor(STRING, (1 << 22,))),
    ],
    ids=["wide numbers", "strings", "long strings", "empty strings"],
)
def test_a_small_request_for_much_memory_is_refused(
    official: OfficialClient, signature: str, proto: object
) -> None:
    assert refusal(official, signature, proto) == "INVALID_ARGUMENT tensor parsing error: x"


def test_the_budget_is_for_all_inputs_of_a_request_together(official: OfficialClient) -> None:
    big = tensor(FLOAT, (12 << 20,), float_val=[1.0])
    with pytest.raises(grpc.RpcError, match="tensor parsing error: b"):
        official.predict("add", {"a": big, "b": big})
    some = tensor(FLOAT, (1 << 20,), float_val=[1.0])
    assert outputs(official.predict("add", {"a": some, "b": some}))["y"].sum() == 2 << 20


def test_a_shape_that_the_model_does_not_take_repeats_little(official: OfficialClient) -> None:
    def asked(*shape: int) -> object:
        return tensor(FLOAT, shape, float_val=[1.0])

    assert refusal(official, "", asked(1 << 10, 1 << 10), model="half").endswith("tensor parsing error: x")
    assert outputs(official.predict("half", {"x": asked(4, 4)}))["y"].shape == (4, 4)
    assert outputs(official.predict("half", {"x": asked(1 << 20)}))["y"].shape == (1 << 20,)


@pytest.mark.parametrize("count", [40, 400])
def test_half_sent_requests_keep_nobody_from_an_answer(toy_repository: Path, count: int) -> None:
    predict, check = "/tensorflow.serving.PredictionService/Predict", "/grpc.health.v1.Health/Check"
    with (
        serving("local", toy_repository, only=["half"], grpc_max_threads=4) as server,
        official_client(server.address) as client,
        ExitStack() as stack,
    ):
        for method in (
            predict,
            check,
            "/grpc.health.v1.Health/Watch",
            "/tensorflow.serving.ModelService/GetModelStatus",
        ):
            stack.enter_context(half_sent(server.port, method, count))
        check_answers(client)


def test_connections_that_say_little_or_nothing_keep_nobody_from_an_answer(toy_repository: Path) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    openings = (
        b"",
        preface[:10],
        preface,
        preface + frame(SETTINGS, 0, 0),
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
    )
    with (
        serving("local", toy_repository, only=["half"], grpc_max_threads=4) as server,
        ExitStack() as stack,
    ):
        for number in range(300):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(openings[number % len(openings)])
        check_answers(stack.enter_context(official_client(server.address)))


def test_bodies_that_come_byte_by_byte_keep_nobody_from_an_answer(toy_repository: Path) -> None:
    message = b"\0" + struct.pack(">I", 1 << 20)
    with (
        serving("local", toy_repository, only=["half"], grpc_max_threads=4) as server,
        official_client(server.address) as client,
        ExitStack() as stack,
    ):
        connections = [
            stack.enter_context(
                half_sent(server.port, "/tensorflow.serving.PredictionService/Predict", 20, message)
            )
            for _ in range(5)
        ]
        for _ in range(3):
            for connection in connections:
                for stream in range(1, 41, 2):
                    connection.sendall(frame(DATA, 0, stream, b"\x0a"))
            check_answers(client)


def check_answers(client: OfficialClient) -> None:
    """A call, a check and a watch are answered."""
    np.testing.assert_array_equal(outputs(client.predict("half", {"x": X}, timeout=60))["y"], [2.5, 3])
    health = health_pb2_grpc.HealthStub(client.channel)
    serving_now = health_pb2.HealthCheckResponse.SERVING
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=60).status == serving_now
    assert next(health.Watch(health_pb2.HealthCheckRequest(), timeout=60)).status == serving_now


def test_a_call_without_a_request_is_told_so(official: OfficialClient) -> None:
    call: Any = official.channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError, match="requires exactly one request message"):
        call(iter(()), timeout=60)


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_a_health_request_that_is_no_message_is_refused_in_words(
    official: OfficialClient, method: str
) -> None:
    kind = official.channel.stream_stream if method == "Watch" else official.channel.stream_unary
    call: Any = kind(f"/grpc.health.v1.Health/{method}", request_serializer=bytes)
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([b"\xff\xff"]), timeout=60))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "could not parse request"


def test_whatever_a_client_sends_to_any_method_it_is_answered_with_a_status_and_a_text() -> None:
    finished = run_forked_script(hostile_requests, REQUESTS, 20)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    assert report["faults"] == []
    assert len(report["rows"]) == 10
    assert report["outcomes"]["OK"] > REQUESTS
    assert report["outcomes"]["INVALID_ARGUMENT"] > REQUESTS // 2


@needs_proc
def test_a_server_that_takes_no_compressed_requests_unpacks_none(tmp_path: Path) -> None:
    toy_models.half_plus_two(tmp_path)
    # The page names this flag; gRPC's limit on a message's size is one on its size before it is unpacked.
    flag = "grpc.compression_enabled_algorithms_bitset=1"
    with (
        server_process(tmp_path, grpc_channel_arguments=flag) as server,
        official_client(server.address) as client,
    ):
        client.predict("half", {"x": X})
        before = usage(server.pid).peak
        call: Any = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError, match="Compression algorithm 'gzip' is disabled") as caught:
            call(bytes(128 * MEGABYTE), compression=grpc.Compression.Gzip, timeout=60)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert usage(server.pid).peak - before < 64 * MEGABYTE
        assert outputs(client.predict("half", {"x": X}))["y"].tolist() == [2.5, 3]


def test_a_shape_of_millions_of_dimensions_is_refused(official: OfficialClient) -> None:
    proto = tensor(FLOAT, (1,) * 2_000_000, float_val=[1.0])
    assert refusal(official, "", proto, model="half") == "INVALID_ARGUMENT tensor parsing error: x"


def test_reloads_can_be_refused(toy_repository: Path) -> None:
    with (
        serving("local", toy_repository, only=["half"], enable_reload="false") as server,
        official_client(server.address) as client,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            reload(client, model(toy_repository, "add"))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "--enable_reload=false" in str(caught.value.details())
        assert outputs(client.predict("half", {"x": X}))["y"].tolist() == [2.5, 3]
        with pytest.raises(grpc.RpcError, match="Servable not found"):
            client.predict("add", {"a": X, "b": X})


def test_a_name_in_a_request_cannot_forge_a_line_of_the_log(toy_repository: Path, tmp_path: Path) -> None:
    forged = "half\n2026-01-01 00:00:00,000 Predict half OK in 0.1 ms \x1b[2J\u202e"
    log = tmp_path / "server.log"
    with server_process(toy_repository, "-v", log=log) as server, official_client(server.address) as client:
        with pytest.raises(grpc.RpcError):
            client.predict(forged, {"x": X})
        with pytest.raises(grpc.RpcError):
            client.predict({"name": "half", "signature_name": forged}, {"x": X})
        with pytest.raises(grpc.RpcError):
            client.predict("x" * 3_000_000, {"x": X})
    text = log.read_text()
    assert len(text) < 100_000
    assert "half\\n2026-01-01" in text
    assert not any(line.startswith("2026-01-01 00:00:00,000 Predict half OK") for line in text.splitlines())
    assert "\x1b" not in text
    assert "\u202e" not in text
