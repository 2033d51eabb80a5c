"""The client against a real local server over toy models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.client import Client, Model, State, Upscale, errors
from impasto.client._wire.tensor_proto import WIRE_TYPES
from scripted.client_servers import prediction, scripted, status
from scripted.counting_server import counting
from servers.model_servers import ModelServer, serving


@pytest.fixture(scope="module")
def client(toy_server: ModelServer) -> Iterator[Client]:
    with Client(toy_server.address) as client:
        yield client


@pytest.fixture(scope="module", params=["false", "true"], ids=["typed fields", "tensor_content"])
def echo_client(request: pytest.FixtureRequest, toy_repository: Path, server_kind: str) -> Iterator[Client]:
    """A client of a server that answers in one of the two ways that TensorFlow Serving can."""
    with (
        serving(
            server_kind, toy_repository, only=["echo"], enable_serialization_as_tensor_content=request.param
        ) as server,
        Client(server.address) as client,
    ):
        yield client


VALUES = {
    "b": [True, False, True],
    "i": [-3, 0, 100],
    "u": [0, 1, 200],
    "f": [-1.5, 0, 2],
    "c": [1 + 2j, 0, -1j],
}


@pytest.mark.parametrize("dtype", [entry.name for entry in WIRE_TYPES if entry.name[0] != "q"])
def test_every_dtype_makes_the_round_trip_through_the_server(echo_client: Client, dtype: str) -> None:
    import ml_dtypes

    if dtype == "object":
        sent = np.array([[b"a\0", b""], [b"\xff", "é".encode()]], object)
        signature = "string"
    else:
        of = getattr(ml_dtypes, dtype, None)
        kind = "f" if "float" in dtype else dtype[0]
        values: Any = [0, 1, 7] if "int4" in dtype else VALUES[kind]
        sent = np.array(values).astype(of or dtype).reshape(1, 3)
        signature = dtype

    found = echo_client.predict("echo", {"x": sent}, signature=signature)["y"]

    assert (found.dtype, found.shape) == (sent.dtype, sent.shape)
    assert found.tolist() == sent.tolist()


def test_outputs_are_arrays_by_name(client: Client) -> None:
    outputs = client.predict("half", {"x": np.array([1, 2], np.float32)})
    assert {name: array.tolist() for name, array in outputs.items()} == {"y": [2.5, 3], "z": [3.5, 4]}


def test_only_the_wanted_outputs_are_sent(client: Client) -> None:
    assert set(client.predict("half", {"x": np.zeros(1, np.float32)}, outputs=["z"])) == {"z"}


def test_inputs_with_defaults_may_be_left_out(client: Client) -> None:
    x = np.ones(1, np.float32)
    assert client.predict("defaults", {"x": x})["y"].tolist() == [9]
    assert client.predict("defaults", {"x": x, "scale": np.float32(5)})["y"].tolist() == [12]


@pytest.mark.parametrize(("version", "wanted"), [(None, 10), (10, 10)])
def test_the_newest_version_answers_unless_another_is_named(
    client: Client, version: int | None, wanted: int
) -> None:
    found = client.predict(Model("constant", version), {"x": np.zeros(1, np.float32)})
    assert found["y"].tolist() == [wanted]


def test_numbers_for_a_model_outside_the_contract_are_what_numpy_makes_of_them(client: Client) -> None:
    assert client.predict("echo", {"x": [1, 2]}, signature="int64")["y"].tolist() == [1, 2]
    assert client.predict("echo", {"x": 0.5}, signature="float64")["y"].shape == ()
    assert client.predict("echo", {"x": ["é", b"\0"]}, signature="string")["y"].tolist() == [
        "é".encode(),
        b"\0",
    ]


def test_a_model_that_is_not_there(client: Client) -> None:
    with pytest.raises(errors.ModelNotFound, match=r"nope is not served at .*`impasto models"):
        client.predict("nope", {})


def test_a_version_that_is_not_there(client: Client) -> None:
    with pytest.raises(errors.ModelNotFound, match="999"):
        client.predict(Model("half", 999), {})


def test_a_label_that_is_not_there(client: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="label: beta"):
        client.predict(Model("half", label="beta"), {})


def test_a_signature_that_is_not_there_is_answered_with_those_that_are(client: Client) -> None:
    with pytest.raises(
        errors.SignatureNotFound, match="half has no signature 'nope'; it has serving_default"
    ):
        client.predict("half", {}, signature="nope")


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, r"Missing but required: \{x\}"),
        ({"x": np.zeros(1, np.float32), "w": np.zeros(1)}, r"Sent extra: \{w\}"),
        ({"x": np.zeros(1, np.int32)}, "to be float but int32 is provided"),
        ({"x": np.zeros((2, 2), "M8[s]")}, "datetime64"),
        ({"x": [[1], [1, 2]]}, "not an array"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_the_reason(
    client: Client, inputs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=reason):
        client.predict("half", inputs)


def test_a_shape_that_does_not_fit_is_refused_by_the_kernel(client: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="add refused the request"):
        client.predict("add", {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)})


def test_an_output_that_is_not_there(client: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="nope"):
        client.predict("half", {"x": np.zeros(1, np.float32)}, outputs=["nope"])


@pytest.mark.parametrize(("model", "version", "label"), [("", None, None), ("half", 1, "stable")])
def test_a_model_named_in_a_way_that_cannot_be_sent_is_refused_here(
    client: Client, model: str, version: int | None, label: str | None
) -> None:
    with pytest.raises(errors.InvalidInput, match=r"model is empty|give one of them") as caught:
        client.predict(Model(model, version=version, label=label), {})
    assert caught.value.code is None


def test_the_timeout_of_a_call_holds_and_stops_the_work(client: Client) -> None:
    started = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded, match=r"slow at .* did not answer in time"):
        client.predict("slow", {"steps": np.int32(10_000_000)}, timeout=0.5)
    assert time.monotonic() - started < 600  # the work itself would take hours


def test_the_clients_timeout_holds_unless_a_call_has_its_own(toy_server: ModelServer) -> None:
    with Client(toy_server.address, timeout=0.2) as client, pytest.raises(errors.DeadlineExceeded):
        client.predict("slow", {"steps": np.int32(10_000_000)})
        assert client.predict("slow", {"steps": np.int32(400)}, timeout=240)["y"].shape == ()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), 9e9, 10**400])
def test_a_timeout_that_is_no_time_is_refused(toy_server: ModelServer, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Client(toy_server.address, timeout=timeout)
    with Client(toy_server.address) as client, pytest.raises(ValueError, match="timeout"):
        client.status("half", timeout=timeout)
    with (
        Client(toy_server.address) as client,
        pytest.raises(
            ValueError, match=r"it must be seconds, more than 0, at most 1000000, or math\.inf for no limit$"
        ),
    ):
        client.wait_ready(timeout=timeout)


def test_metadata_shows_signatures_with_dtypes_shapes_and_defaults(client: Client) -> None:
    metadata = client.metadata("defaults")

    assert (metadata.model, metadata.version) == ("defaults", 1)
    assert set(metadata.signatures) == {"serving_default"}
    inputs = metadata.signatures["serving_default"].inputs
    assert {name: (info.dtype, info.shape) for name, info in inputs.items()} == {
        "x": ("float32", (None,)),
        "scale": ("float32", ()),
        "offsets": ("int32", (2,)),
    }
    assert inputs["x"].default is None
    assert inputs["offsets"].default is not None
    assert inputs["offsets"].default.tolist() == [3, 4]
    assert set(metadata.signatures["serving_default"].outputs) == {"y"}


def test_metadata_names_every_dtype_and_an_unknown_rank(client: Client) -> None:
    signatures = client.metadata("echo").signatures
    for name in ("float32", "bfloat16", "string", "complex128", "qint8"):
        assert signatures[name].inputs["x"].dtype == name
        assert signatures[name].inputs["x"].shape is None


def test_status_lists_the_versions(client: Client) -> None:
    (found,) = client.status("half")
    assert (found.version, found.state, found.error) == (1, State.AVAILABLE, "")


@pytest.mark.parametrize("version", [None, 7])
def test_status_of_what_is_not_there(client: Client, version: int | None) -> None:
    with pytest.raises(errors.ModelNotFound):
        client.status(Model("nope" if version is None else "half", version))


def test_a_state_that_is_newer_than_this_client_is_unknown() -> None:
    with scripted(lambda *_: status(1, 99)) as server, Client(server.address) as client:
        assert client.status("m")[0].state is State.UNKNOWN


@pytest.mark.parametrize("call", ["predict", "metadata", "status"])
def test_an_answer_that_is_garbage_is_a_decode_error(call: str) -> None:
    with (
        scripted(lambda *_: b"\xff\xff\xff garbage") as server,
        Client(server.address) as client,
        pytest.raises(errors.DecodeError, match="cannot be parsed"),
    ):
        getattr(client, call)("m", *([{}] if call == "predict" else []))


def test_metadata_without_signatures_is_a_decode_error() -> None:
    with (
        scripted(lambda *_: b"") as server,
        Client(server.address) as client,
        pytest.raises(errors.DecodeError, match="signature_def"),
    ):
        client.metadata("m")


def test_one_client_serves_many_threads(client: Client) -> None:
    failures: list[str] = []

    def work(number: int) -> None:
        for _ in range(20):
            found = client.predict("half", {"x": np.full(100, number, np.float32)})["y"]
            if not (found == number / 2 + 2).all():
                failures.append(f"{number}: {found}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_waiting_ends_when_the_models_are_there(client: Client) -> None:
    client.wait_ready(timeout=240, models=["half", "echo"])


def test_waiting_for_a_server_that_comes_up_later() -> None:
    answer = prediction()
    with scripted(lambda *_: answer) as first:
        address = first.address
    with Client(address) as client:
        done = threading.Event()

        def wait() -> None:
            client.wait_ready(timeout=240)
            done.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not done.wait(0.5)
        with scripted(lambda *_: answer, address=address):
            assert done.wait(240)
        waiting.join()


def test_waiting_for_no_server_ends_in_time() -> None:
    with scripted(lambda *_: b"") as server:
        pass
    with (
        Client(server.address) as client,
        pytest.raises(errors.ServerUnavailable, match="impasto-serving local"),
    ):
        client.wait_ready(timeout=0.5)


def test_waiting_for_a_model_that_never_comes_says_what_the_server_says(client: Client) -> None:
    with pytest.raises(
        errors.DeadlineExceeded, match=r"nope .* within 0.3 seconds: Could not find any versions"
    ):
        client.wait_ready(timeout=0.3, models=["half", "nope"])


def test_waiting_for_a_model_that_failed_to_load_says_why() -> None:
    with (
        scripted(lambda *_: status(3, State.END.value, "corrupt graph")) as server,
        Client(server.address) as client,
        pytest.raises(errors.DeadlineExceeded, match="version 3 is END corrupt graph"),
    ):
        client.wait_ready(timeout=0.3, models=["m"])


@pytest.mark.parametrize("called_before", [False, True])
def test_a_closed_client_says_so(toy_server: ModelServer, called_before: bool) -> None:
    client = Client(toy_server.address)
    if called_before:
        client.status("half")
    client.close()
    calls: list[Callable[[], object]] = [
        lambda: client.status("half"),
        lambda: client.predict("half", {}),
        lambda: client.upscale(np.zeros((9, 9, 3), np.uint8)),
        lambda: client.wait_ready(timeout=240),
        lambda: list(client.map([Upscale(b"")])),
    ]
    for call in calls:
        with pytest.raises(
            errors.ClientClosed, match=f"the client of {client.address} is closed; make another one"
        ):
            call()
    client.close()


def test_closing_the_client_ends_the_calls_that_other_threads_have_under_way() -> None:
    outcomes: list[type] = []

    def call() -> None:
        with pytest.raises(errors.CallError) as caught:
            closing.predict("any", {})
        outcomes.append(type(caught.value))

    with counting(seconds=600.0) as server:
        closing = Client(server.address)
        thread = threading.Thread(target=call)
        thread.start()
        assert server.arrived.wait(240)
        closing.close()
        thread.join(60)
    assert outcomes == [errors.CallAborted]


def test_the_address_comes_from_the_environment(
    toy_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", toy_server.address)
    with Client() as client:
        assert client.address == toy_server.address
        assert client.status("half")
