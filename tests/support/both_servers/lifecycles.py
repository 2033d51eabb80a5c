"""Cases of a server's life: how it starts, takes calls and stops. Each says in a sentence what it saw."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import grpc
import numpy as np
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import prediction_log_pb2

from both_servers.answers import tensor
from both_servers.conformance import (
    Case,
    broken_version,
    is_open,
    lines_with,
    outcome,
    served,
    state_of,
    tidy,
)
from servers.configurations import wait_for
from servers.model_servers import POLL, ServerProcess, server_process, serving
from servers.official_stubs import OfficialClient, official_client, predict_request
from toys import toy_models

X: Final = np.zeros(1, np.float32)
_POLL_SECONDS: Final = float(POLL)


def _half(kind: str, root: Path, client: OfficialClient) -> str:
    return outcome(lambda: client.predict("half", {"x": X}, output_filter=("y",)))


@contextmanager
def _process(kind: str, models: Path, **flags: Any) -> Iterator[tuple[ServerProcess, OfficialClient]]:
    with server_process(models, kind=kind, **flags) as server, official_client(server.address) as client:
        yield server, client


def _exit(kind: str, config: Path, *words: str, **flags: Any) -> str:
    """How a server ends that cannot start."""
    server = ServerProcess(config, kind=kind, **flags)
    server.start()
    try:
        return f"exit {server.wait()}: {lines_with(server.log, *words)}"
    finally:
        server.stop()


def warm_up_slowly(version: Path, *, steps: int) -> None:
    """Gives a version of `slow` a warm-up record that takes about so many milliseconds."""
    log = prediction_log_pb2.PredictLog(request=predict_request("slow", {"steps": np.int32(steps)}))
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def port_while_loading(kind: str, root: Path) -> str:
    """Whether the port is open before the models are loaded and warm."""
    warm_up_slowly(toy_models.slow(root), steps=500)
    server = ServerProcess(root, kind=kind)
    server.start()
    try:
        refused = 0
        while not is_open(server.port):
            assert server.is_running, server.tail()
            refused += 1
            time.sleep(0.02)
        with official_client(server.address) as client:
            state = state_of(client, "slow", 1)
        return f"refused until it is open, then {state}" if refused > 10 else f"open at once, {state}"
    finally:
        server.stop()


def corrupt_at_start(kind: str, root: Path) -> str:
    """A model that cannot be loaded when the server starts."""
    broken_version(root, "m", 1)
    said = _exit(kind, root, "Failed to start server", max_num_load_retries=0)
    return said.partition(" due to error")[0]


def numbered_file(kind: str, root: Path) -> str:
    """A file beside the versions whose name is a higher number."""
    toy_models.half_plus_two(root)
    (root / "half" / "5").write_text("")
    try:
        with _process(kind, root, max_num_load_retries=0) as (_, client):
            return _half(kind, root, client).split()[0]
    except AssertionError:
        return "does not start"


def unreadable_configuration(kind: str, root: Path) -> str:
    """A model_config_file that is no ModelServerConfig."""
    config = root / "models.config"
    config.write_text("model_config_list {")
    said = _exit(kind, config, "Error parsing text-format tensorflow.serving.ModelServerConfig")
    return said[: said.index("ModelServerConfig") + len("ModelServerConfig")]


def no_configuration(kind: str, root: Path) -> str:
    """A model_config_file that is not there."""
    return _exit(
        kind, root, "Failed to start server", "cannot be read", model_config_file=root / "none.config"
    )


def relative_path(kind: str, root: Path) -> str:
    """A base path that is not absolute."""
    config = root / "models.config"
    config.write_text(
        "model_config_list { config { name: 'm' base_path: 'm' model_platform: 'tensorflow' } }"
    )
    return _exit(kind, config, "Failed to start server")


def taken_twice(kind: str, root: Path) -> str:
    """A model that is listed twice."""
    config = root / "models.config"
    entry = "config { name: 'm' base_path: '/m' model_platform: 'tensorflow' }"
    config.write_text(f"model_config_list {{ {entry} {entry} }}")
    return _exit(kind, config, "Failed to start server")


def taken_port(kind: str, root: Path) -> str:
    """A port that another program listens on."""
    toy_models.half_plus_two(root)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = _exit(kind, root, "cannot listen", port=other.getsockname()[1])
        return "goes on" if said.startswith("exit 0") else "ends"


def no_threads(kind: str, root: Path) -> str:
    """--grpc_max_threads=0."""
    toy_models.half_plus_two(root)
    return _exit(kind, root, "Invalid value for", grpc_max_threads=0).partition(":")[0]


def long_headers(kind: str, root: Path) -> str:
    """Calls with 7000 and with 9000 bytes of headers."""
    toy_models.half_plus_two(root)
    with served(kind, root) as client:
        request = predict_request("half", {"x": X})

        def codes(length: int) -> set[str]:
            headers = (("authorization", "a" * length),)
            calls = [
                client.prediction.Predict.future(request, timeout=240, metadata=headers) for _ in range(5)
            ]
            return {"answered" if call.code() is grpc.StatusCode.OK else "refused" for call in calls}

        return f"{codes(7000)}, {codes(9000)}"


def long_headers_beside_a_call(kind: str, root: Path) -> str:
    """A call that runs on the connection by which another one sends 9000 bytes of headers."""
    toy_models.slow(root)
    with served(kind, root) as client:
        client.predict("slow", {"steps": np.int32(1)})
        running = client.prediction.Predict.future(
            predict_request("slow", {"steps": np.int32(2000)}), timeout=240
        )
        client.predict("slow", {"steps": np.int32(2)})  # on the same connection, so the long one is in
        headers = (("authorization", "a" * 9000),)
        request = predict_request("slow", {"steps": np.int32(1)})
        with contextlib.suppress(grpc.RpcError):
            client.prediction.Predict(request, timeout=240, metadata=headers)
        return "answered" if running.code() is grpc.StatusCode.OK else "fails, too"


def address(kind: str, root: Path) -> str:
    """The addresses that are listened on."""
    toy_models.half_plus_two(root)
    with serving(kind, root) as server, socket.socket() as probe:
        probe.settimeout(1)
        return "127.0.0.1 alone" if probe.connect_ex(("127.0.0.2", server.port)) else "every address"


def empty_base_path(kind: str, root: Path) -> str:
    """A model whose folder has no version when the server starts, and gets one later."""
    (root / "half").mkdir()
    server = ServerProcess(root, kind=kind)
    server.start()
    try:
        time.sleep(3 * _POLL_SECONDS)
        before = "runs" if server.is_running else "ends"
        listening = "open" if is_open(server.port) else "closed"
        toy_models.half_plus_two(root)
        server.wait_ready()
        with official_client(server.address) as client:
            wait_for(lambda: _half(kind, root, client).startswith("OK"), "half should be served")
        return f"{before}, port {listening}; then the version is served"
    finally:
        server.stop()


def one_thread(kind: str, root: Path) -> str:
    """--grpc_max_threads=1."""
    toy_models.half_plus_two(root)
    with served(kind, root, grpc_max_threads=1) as client:
        return _half(kind, root, client)


def refused_while_busy(kind: str, root: Path) -> str:
    """Three calls where --grpc_max_threads=3."""
    toy_models.slow(root)
    with served(kind, root, grpc_max_threads=3) as client:
        # Not by a call, which may hold its thread for longer than until its answer is here.
        grpc.channel_ready_future(client.channel).result(timeout=240)
        request = predict_request("slow", {"steps": np.int32(2**31 - 1)})
        calls = [client.prediction.Predict.future(request, timeout=2) for _ in range(3)]
        return tidy(", ".join(sorted(f"{call.code().name} {call.details()}" for call in calls)))


def without_health(kind: str, root: Path) -> str:
    """The health service where no flag asks for it."""
    toy_models.half_plus_two(root)
    with served(kind, root, enable_grpc_healthcheck_service=None) as client:
        check = health_pb2_grpc.HealthStub(client.channel).Check
        return outcome(lambda: check(health_pb2.HealthCheckRequest(), timeout=60)).split(" ")[0]


def unasked_encoding(kind: str, root: Path) -> str:
    """The field that holds an answer's numbers where no flag says which."""
    toy_models.half_plus_two(root)
    with served(kind, root, enable_serialization_as_tensor_content=None) as client:
        answer = client.predict("half", {"x": np.zeros(8, np.float32)}).outputs["y"]
        return ", ".join(sorted({field.name for field, _ in answer.ListFields()} - {"dtype", "tensor_shape"}))


def health_when_told_to_stop(kind: str, root: Path) -> str:
    """What a health watcher hears when the server is told to stop."""
    toy_models.half_plus_two(root)
    with _process(kind, root) as (server, client):
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest(), timeout=240)
        next(watch)
        server.send(signal.SIGTERM)
        try:
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status))
        except grpc.RpcError as error:
            return f"nothing, then {cast(grpc.Call, error).code().name}"


def call_when_told_to_stop(kind: str, root: Path) -> str:
    """A call that runs when the server is told to stop."""
    toy_models.slow(root)
    with _process(kind, root) as (server, client):
        client.predict("slow", {"steps": np.int32(1)})
        call = client.prediction.Predict.future(
            predict_request("slow", {"steps": np.int32(1500)}), timeout=240
        )
        client.predict("slow", {"steps": np.int32(2)})  # on the same connection, so the long one is in
        server.send(signal.SIGTERM)
        return str(call.code().name)


def resource_tensor(kind: str, root: Path) -> str:
    """A tensor of dtype DT_RESOURCE in a request."""
    toy_models.half_plus_two(root)
    with _process(kind, root) as (server, client):
        said = outcome(lambda: client.predict("half", {"x": tensor(20)}))
        if not said.startswith("UNAVAILABLE"):
            return f"{said}; goes on"
        return f"the process ends with signal {-server.wait()}"


def huge_tensor(kind: str, root: Path) -> str:
    """A request of some bytes whose one value stands for more elements than there is memory."""
    toy_models.half_plus_two(root)
    with _process(kind, root) as (server, client):
        huge = tensor(1, (2**20, 2**20, 2**10), float_val=[1.0])
        said = outcome(lambda: client.predict("half", {"x": huge}))
        if said.startswith("UNAVAILABLE"):
            return f"the process ends with signal {-server.wait()}"
        return f"{said}; goes on"


def long_text(kind: str, root: Path) -> str:
    """A message of more than 1024 bytes, cut inside a character of two bytes."""
    toy_models.asserting(root, message="m" + "é" * 700)
    with served(kind, root) as client:
        call = client.channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        request = predict_request("asserting", {"x": -np.ones(1, np.float32)}).SerializeToString()
        try:
            call(request, timeout=240)
        except grpc.RpcError as error:
            cut = (cast(grpc.Call, error).details() or "").removesuffix("...TRUNCATED")
            return f"{len(cut.rstrip(chr(0xFFFD)).encode())} bytes of whole characters, ...TRUNCATED"
    return "no error"


STARTS_AND_STOPS: Final = (
    Case("start: the port while models load", port_while_loading),
    Case("start: a model that cannot be loaded", corrupt_at_start),
    Case("start: a file whose name is a version's number", numbered_file),
    Case("start: a configuration that cannot be parsed", unreadable_configuration),
    Case("start: a configuration that is not there", no_configuration),
    Case("start: a relative base path", relative_path),
    Case("start: a model listed twice", taken_twice),
    Case("start: a model without a version yet", empty_base_path),
    Case("start: a port that is taken", taken_port),
    Case("start: the address", address),
    Case("headers: over 8 KB", long_headers),
    Case("headers: over 8 KB, and a call beside them", long_headers_beside_a_call),
    Case("threads: none", no_threads),
    Case("threads: one", one_thread),
    Case("threads: as many calls", refused_while_busy),
    Case("answers: no flag", unasked_encoding),
    Case("health: no flag", without_health),
    Case("health: a watcher, when the server is told to stop", health_when_told_to_stop),
    Case("stop: a call that runs", call_when_told_to_stop),
    Case("tensor: DT_RESOURCE", resource_tensor),
    Case("tensor: more elements than there is memory", huge_tensor),
    Case("words: cut inside a character", long_text),
)
