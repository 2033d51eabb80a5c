"""Every failure of a call arrives as one exception of the tree, with words to act on."""

from __future__ import annotations

import inspect
import pickle
import re
from pathlib import Path

import grpc
import numpy as np
import pytest

from impasto.client import Client, Retries, errors
from impasto.client._transport.failures import how_to_start
from impasto.client.errors import STATUS_ERRORS, CallError, ImpastoError
from scripted.client_servers import BATCH_MISMATCH, QUEUE_FULL, aborting, scripted
from servers.model_servers import serving

FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def test_the_table_has_every_status_but_ok() -> None:
    assert set(STATUS_ERRORS) == set(FAILURES)


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_every_status_becomes_its_exception_and_keeps_what_the_server_said(code: grpc.StatusCode) -> None:
    with (
        scripted(aborting(code, "the server's words")) as server,
        Client(server.address) as client,
        pytest.raises(CallError) as caught,
    ):
        client.predict("half", {"x": np.zeros(1, np.float32)})

    error = caught.value
    assert type(error) is STATUS_ERRORS[code]
    assert (error.code, error.details, error.address, error.model) == (
        code,
        "the server's words",
        server.address,
        "half",
    )
    assert "the server's words" in str(error)
    assert "half" in str(error) or server.address in str(error)
    cause = error.__cause__
    while isinstance(cause, ImpastoError):
        cause = cause.__cause__
    assert isinstance(cause, grpc.RpcError)


REMEDIES = {
    grpc.StatusCode.CANCELLED: "can safely be sent again",
    grpc.StatusCode.UNKNOWN: "the server's log says more",
    grpc.StatusCode.INVALID_ARGUMENT: "impasto models --signatures half",
    grpc.StatusCode.DEADLINE_EXCEEDED: "allow a longer timeout or send less at once",
    grpc.StatusCode.NOT_FOUND: "impasto models --server",
    grpc.StatusCode.ALREADY_EXISTS: "can safely be sent again",
    grpc.StatusCode.PERMISSION_DENIED: "give others (token=, IMPASTO_TOKEN, IMPASTO_TLS_CERT)",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "try again later, with fewer calls at once",
    grpc.StatusCode.FAILED_PRECONDITION: "impasto status half",
    grpc.StatusCode.ABORTED: "can safely be sent again",
    grpc.StatusCode.OUT_OF_RANGE: "impasto models --signatures half",
    grpc.StatusCode.UNIMPLEMENTED: "is it the gRPC port",
    grpc.StatusCode.INTERNAL: "the server's log says more",
    grpc.StatusCode.UNAVAILABLE: "Start one: impasto-serving local",
    grpc.StatusCode.DATA_LOSS: "the server's log says more",
    grpc.StatusCode.UNAUTHENTICATED: "give the token that it knows (token=, IMPASTO_TOKEN)",
}


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_the_message_of_every_status_says_what_to_do(code: grpc.StatusCode) -> None:
    with (
        scripted(aborting(code)) as server,
        Client(server.address, retries=Retries(attempts=1)) as client,
        pytest.raises(CallError) as caught,
    ):
        client.predict("half", {"x": np.zeros(1, np.float32)})
    assert REMEDIES[code] in str(caught.value)


def test_only_the_first_line_of_the_details_is_in_the_message() -> None:
    answer = aborting(grpc.StatusCode.INVALID_ARGUMENT, "bad shape\n\t [[{{node resize}}]]")
    with (
        scripted(answer) as server,
        Client(server.address) as client,
        pytest.raises(errors.InvalidInput) as caught,
    ):
        client.predict("half", {})

    assert str(caught.value) == (
        "half refused the request: bad shape; "
        f"`impasto models --signatures half --server {server.address}` shows what it takes"
    )
    assert caught.value.details.endswith("[[{{node resize}}]]")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ServerUnavailable, ConnectionError),
        (errors.DeadlineExceeded, TimeoutError),
        (errors.InvalidInput, ValueError),
        (errors.AddressError, ValueError),
        (errors.ImageError, ValueError),
        (errors.OutputExists, FileExistsError),
        (errors.UnwritableOutput, OSError),
    ],
)
def test_errors_are_also_the_builtin_kind_that_people_catch(
    kind: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)
    assert issubclass(kind, ImpastoError)
    assert str(kind("what happened")) == "what happened"


def test_errors_survive_pickling_with_their_attributes() -> None:
    error = errors.ServerUnavailable(
        "nobody", code=grpc.StatusCode.UNAVAILABLE, details="refused", address="a:1", model="m"
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.ServerUnavailable
    assert str(again) == "nobody"
    assert (again.code, again.details, again.address, again.model) == (error.code, "refused", "a:1", "m")


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    kinds = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ImpastoError)
    }
    drawn: dict[str, str] = {}
    branch: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)\b", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        branch[depth:] = [found[2]]
        drawn[found[2]] = branch[depth - 1] if depth else ""

    assert set(drawn) == set(kinds)
    for name, parent in drawn.items():
        assert parent == "" or kinds[parent] in kinds[name].__bases__, name
    for name, also in re.findall(r"(\w+) .*\(also an? (\w+)\)", errors.__doc__ or ""):
        assert also in {base.__name__ for base in kinds[name].__bases__}, name


@pytest.mark.parametrize(
    "details",
    [
        "SERVER: Received message larger than max (20025 vs. 10000)",
        "grpc: received message larger than max (20025 vs. 10000)",
        "gRPC message exceeds maximum size 10000: 20025",
        "Received message exceeds the maximum configured message size.",
    ],
    ids=["core", "Go", "Java", ".NET"],
)
def test_a_message_that_is_too_large_is_no_overloaded_server(details: str) -> None:
    with (
        scripted(aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, details)) as server,
        Client(server.address) as client,
        pytest.raises(errors.MessageTooLarge, match="that of the server or of a proxy") as caught,
    ):
        client.predict("half", {})
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def failure(code: grpc.StatusCode, details: str) -> CallError:
    """What a prediction by `half` raises where the server ends it so."""
    with (
        scripted(aborting(code, details)) as server,
        Client(server.address, retries=Retries(attempts=1)) as client,
        pytest.raises(CallError) as caught,
    ):
        client.predict("half", {})
    assert caught.value.code is code
    return caught.value


UNBATCHED = (
    "To switch batching off, start the server without --enable_batching; or keep it for other models, with "
    "--enable_per_model_batching_parameters and without batching_params.pbtxt in the version of half"
)


def test_pictures_that_met_in_a_batch_are_told_from_a_model_that_cannot() -> None:
    error = failure(grpc.StatusCode.FAILED_PRECONDITION, BATCH_MISMATCH)
    assert type(error) is errors.BatchMismatch
    assert isinstance(error, errors.ServerOverloaded)  # which jobs outlast
    assert str(error) == (
        f"{error.address} batches calls to half that come at the same time, and refuses them all where their pictures "
        f"differ in size, as they did now ({BATCH_MISMATCH}). {UNBATCHED}. Padding would change the pictures"
    )


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size"),
        (grpc.StatusCode.INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension"),
        (grpc.StatusCode.INVALID_ARGUMENT, "Task size 9 is larger than maximum input batch size 8"),
        (grpc.StatusCode.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions"),
    ],
)
def test_a_call_that_no_batch_takes_says_how_to_switch_batching_off(
    code: grpc.StatusCode, details: str
) -> None:
    error = failure(code, details)
    assert type(error) is errors.NotBatchable
    assert str(error) == (
        f"{error.address} batches calls to half, and this one cannot be batched: {details}. {UNBATCHED}"
    )


def test_a_server_whose_queue_of_batches_is_full_is_overloaded_and_not_away() -> None:
    assert type(failure(grpc.StatusCode.UNAVAILABLE, QUEUE_FULL)) is errors.ServerOverloaded


def test_a_server_that_is_not_there_is_named_with_the_way_to_start_one() -> None:
    with scripted(aborting(grpc.StatusCode.OK)) as server:
        address = server.address
    with Client(address) as client, pytest.raises(errors.ServerUnavailable) as caught:
        client.status("srcnn")

    port = address.rpartition(":")[2]
    assert f"no model server answers at {address}" in str(caught.value)
    assert f"impasto-serving local --models models --port {port} " in str(caught.value)


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("localhost", "--port 8500"),
        ("[::1]", "--port 8500"),
        ("[::1]:9000", "--port 9000"),
        ("gpu1:1,gpu2:2", "--port 1"),
        ("dns:///models:9000", "--port 9000"),
        ("xds:///models", "--port 8500"),
        ("unix:/run/models.sock", "--grpc_socket_path /run/models.sock"),
        ("unix:///run/my models.sock", "--grpc_socket_path '/run/my models.sock'"),
        ("unix:models.sock", "--grpc_socket_path models.sock"),
    ],
)
def test_the_way_to_start_a_server_is_for_the_address_where_it_was_looked_for(
    address: str, options: str
) -> None:
    assert how_to_start(address) == f"Start one: impasto-serving local --models models {options}"


def test_a_server_that_was_started_as_a_failure_says_answers(
    toy_repository: Path, tmp_path: Path, server_kind: str
) -> None:
    address = f"unix:{tmp_path}/models.sock"
    with Client(address) as client:
        with pytest.raises(errors.ServerUnavailable) as caught:
            client.status("add")
        command = re.search(r"--grpc_socket_path (\S+) ", str(caught.value))
        assert command is not None
        with serving(server_kind, toy_repository, only=["add"], grpc_socket_path=command[1]):
            client.wait_ready(models=["add"])
