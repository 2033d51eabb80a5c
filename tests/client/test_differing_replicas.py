"""`impasto models` and `impasto status` ask each replica, and show what they can where these differ."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from impasto.client import Settings, TlsOptions
from impasto.client.cli import exit_codes, run
from impasto.client.cli.served import replicas
from impasto.serving import GrpcOptions, LocalServer
from processes.command_line import free_port
from scripted.client_servers import aborting, scripted
from servers.certificates import Authority
from servers.model_servers import ModelServer, serving
from toys import toy_models

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """`constant` as version 1 in the one, as version 2 in the other, which has `echo` as well."""
    old, new = tmp_path_factory.mktemp("old"), tmp_path_factory.mktemp("new")
    toy_models.constant(old, 1)
    toy_models.constant(new, 2)
    toy_models.echo(new)
    return old, new


@pytest.fixture(scope="module")
def old(repositories: tuple[Path, Path], server_kind: str) -> Iterator[ModelServer]:
    with serving(server_kind, repositories[0]) as server:
        yield server


@pytest.fixture(scope="module")
def new(repositories: tuple[Path, Path], server_kind: str) -> Iterator[ModelServer]:
    with serving(server_kind, repositories[1]) as server:
        yield server


@pytest.fixture
def away() -> str:
    return f"127.0.0.1:{free_port()}"


def encrypted(repository: Path, authority: Authority) -> LocalServer:
    options = GrpcOptions(ssl_config_file=authority.ssl_config("models.example"))
    return LocalServer(repository, grpc_options=options)


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def shown_as_json(capsys: Captured, *command: str) -> tuple[int, dict[str, Any]]:
    code = run([*command, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_models_says_which_replica_serves_what(old: ModelServer, new: ModelServer, capsys: Captured) -> None:
    address = f"{old.address},{new.address}"
    assert run(["models", "constant", "echo", "--server", address]) == exit_codes.DONE
    shown = table(capsys.readouterr().out)
    assert shown[0] == ["REPLICA", "MODEL", "VERSION", "STATE", "SIGNATURES"]
    assert [old.address, "constant", "1", "AVAILABLE", "serving_default"] in shown
    assert [new.address, "constant", "2", "AVAILABLE", "serving_default"] in shown
    assert [old.address, "echo", "-", "not", "served"] in shown
    assert ["all", "srcnn", "-", "not", "served"] in shown


def test_models_shows_equal_replicas_as_one_server(old: ModelServer, capsys: Captured) -> None:
    assert run(["models", "constant", "--server", old.address]) == exit_codes.DONE
    alone = capsys.readouterr().out
    assert run(["models", "constant", "--server", f"{old.address},{old.address}"]) == exit_codes.DONE
    assert capsys.readouterr().out == alone


def test_models_shows_the_signatures_of_each_kind(
    old: ModelServer, new: ModelServer, capsys: Captured
) -> None:
    address = f"{old.address},{new.address}"
    assert run(["models", "-s", "echo", "--server", address]) == exit_codes.DONE
    assert f"\necho at {new.address} uint8\n  in  x uint8 [any shape]\n" in capsys.readouterr().out


def test_models_as_json_has_an_entry_for_each_replica(
    old: ModelServer, new: ModelServer, away: str, capsys: Captured
) -> None:
    address = f"{old.address},{away},{new.address}"
    code, found = shown_as_json(capsys, "models", "constant", "--server", address)
    assert code == exit_codes.DONE
    assert found["server"] == address
    assert [each["server"] for each in found["replicas"]] == [old.address, away, new.address]
    assert found["replicas"][1]["error"].startswith(f"no model server answers at {away}")
    versions = [
        [model["versions"] for model in each["models"] if model["model"] == "constant"]
        for each in found["replicas"]
        if "models" in each
    ]
    assert [each[0][0]["version"] for each in versions] == [1, 2]


def test_a_replica_that_is_away_hides_no_other(old: ModelServer, away: str, capsys: Captured) -> None:
    for command in (["models", "constant"], ["status", "constant"], ["status"]):
        assert run([*command, "--server", f"{away},{old.address}"]) == exit_codes.DONE
        shown = capsys.readouterr()
        assert f"no model server answers at {away}" in shown.err
        assert ("answers; ready" if command == ["status"] else "AVAILABLE") in shown.out


def test_a_name_that_does_not_resolve_hides_no_other(old: ModelServer, capsys: Captured) -> None:
    address = f"no-such-host.invalid:8500,{old.address}"
    assert run(["status", "constant", "--server", address]) == exit_codes.DONE
    shown = capsys.readouterr()
    assert "no-such-host.invalid:8500" in shown.err
    assert [old.address, "1", "AVAILABLE"] in table(shown.out)


def test_a_replica_that_is_not_trusted_hides_no_other(
    repositories: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    ours, strange = Authority(tmp_path, "ours"), Authority(tmp_path, "strange")
    with (
        encrypted(repositories[0], ours) as good,
        encrypted(repositories[0], strange) as bad,
    ):
        options = ["--tls-ca", str(ours.certificate), "--tls-server-name", "models.example"]
        command = ["models", "constant", "--server", f"{bad.address},{good.address}", *options]
        assert run(command) == exit_codes.DONE
        shown = capsys.readouterr()
    assert "no CA that this client trusts" in shown.err
    assert ["constant", "1", "AVAILABLE", "serving_default"] in table(shown.out)


def test_a_model_is_ready_if_every_replica_that_answers_can_be_called(
    old: ModelServer, new: ModelServer, capsys: Captured
) -> None:
    address = f"{old.address},{new.address}"
    assert run(["status", "constant", "--server", address]) == exit_codes.DONE
    assert table(capsys.readouterr().out) == [
        ["REPLICA", "VERSION", "STATE", "ERROR"],
        [old.address, "1", "AVAILABLE"],
        [new.address, "2", "AVAILABLE"],
    ]
    assert run(["status", "echo", "--server", address]) == exit_codes.REFUSED
    shown = capsys.readouterr()
    assert [old.address, "-", "not", "served"] in table(shown.out)
    assert shown.err == f"impasto: echo cannot be called at {old.address}\n"


def test_status_as_json_has_an_entry_for_each_replica(
    old: ModelServer, new: ModelServer, away: str, capsys: Captured
) -> None:
    address = f"{old.address},{new.address},{away}"
    code, found = shown_as_json(capsys, "status", "echo", "--server", address)
    assert code == exit_codes.REFUSED
    assert found["ready"] == []
    assert [sorted(each) for each in found["replicas"]] == [
        ["models", "server"],
        ["models", "server"],
        ["error", "server"],
    ]
    assert found["replicas"][1]["models"]["echo"][0]["state"] == "AVAILABLE"


def test_where_no_replica_answers_nothing_is_shown(away: str, capsys: Captured) -> None:
    for command in ("models", "status"):
        assert run([command, "--server", f"{away},127.0.0.1:{free_port()}"]) == exit_codes.UNREACHABLE
        shown = capsys.readouterr()
        assert shown.out == ""
        assert f"no model server answers at {away}" in shown.err


def test_a_model_that_no_replica_serves_is_4(old: ModelServer, new: ModelServer) -> None:
    assert run(["models", "nope", "--server", f"{old.address},{new.address}"]) == exit_codes.REFUSED


def test_versions_are_shown_where_a_balanced_server_does_not_tell_the_rest(
    old: ModelServer, capsys: Captured
) -> None:
    """As where the status comes from one server behind an address and the metadata from the next."""
    with grpc.insecure_channel(old.address) as channel:

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if server.methods[-1].endswith("GetModelMetadata"):
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(constant)")
            method: Callable[..., bytes] = channel.unary_unary(server.methods[-1])
            try:
                return method(request)
            except grpc.RpcError as error:
                failed = cast(grpc.Call, error)
                context.abort(failed.code(), failed.details() or "")
                raise AssertionError("abort raises") from error

        with scripted(answer) as server:
            assert run(["models", "constant", "--server", server.address]) == exit_codes.DONE
    shown = capsys.readouterr()
    assert ["constant", "1", "AVAILABLE"] in table(shown.out)
    assert "constant is not served at" in shown.err


def test_a_server_that_refuses_every_question_ends_with_its_refusal(capsys: Captured) -> None:
    with scripted(aborting(grpc.StatusCode.PERMISSION_DENIED, "no token")) as server:
        assert run(["models", "--server", server.address]) == exit_codes.REFUSED
    assert capsys.readouterr().err.count("no token") == 1


def test_a_name_with_several_addresses_is_several_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **_: object) -> list[Any]:
        four = [(socket.AF_INET, 1, 6, "", (number, port)) for number in ("10.0.0.2", "10.0.0.1")]
        return [(socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)), *four]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = replicas(Settings(address="dns:///models.example:9000", tls=TlsOptions()))
    assert [(each.address, each.tls) for each in found] == [
        (f"10.0.0.{number}:9000", TlsOptions(server_name="models.example")) for number in (1, 2)
    ]


@pytest.mark.parametrize(
    "address", ["localhost:8500", "unix:/run/models.sock", "10.0.0.1:1", "xds:///models"]
)
def test_one_server_is_no_replicas(address: str) -> None:
    assert [each.address for each in replicas(Settings(address=address))] == [address]
