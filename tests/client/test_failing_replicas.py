"""One replica that cannot be found or trusted does not stop the others."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from impasto.client import AsyncClient, Client, Retries, TlsOptions, errors
from impasto.client._transport import channel
from processes.command_line import free_port, wait_until
from scripted.client_servers import ScriptedServer, aborting, prediction, scripted
from scripted.web_servers import web_server
from servers.certificates import EXPIRED, VALID, Authority, Validity

ANSWER = prediction(y=np.array([7], np.uint8))
NAME = "models.example"


def answer(*_: object) -> bytes:
    return ANSWER


def ask(client: Client) -> list[int]:
    return client.predict("m", {})["y"].tolist()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_name_that_does_not_resolve_is_left_out(order: tuple[int, int]) -> None:
    with scripted(answer) as server:
        replicas = (server.address, "no-such-host.invalid:8500")
        with Client(",".join(replicas[place] for place in order)) as client:
            assert [ask(client) for _ in range(4)] == [[7]] * 4
            assert len(server.methods) == 4


class Names:
    """A name server: `later.test` means nothing until it is `known`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = False
        real = socket.getaddrinfo

        def look_up(host: str, port: int, *arguments: Any, **options: Any) -> Any:
            if host != "later.test":
                return real(host, port, *arguments, **options)
            if not self.known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return real("127.0.0.1", port, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_name_that_resolves_later_is_called_then(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    monkeypatch.setattr(channel, "LOOKUP_PERIOD", 0.0)
    with scripted(answer) as one, scripted(answer) as other:
        port = other.address.rpartition(":")[2]
        with Client(f"{one.address},later.test:{port}") as client:
            assert [ask(client) for _ in range(3)] == [[7]] * 3
            assert other.methods == []
            names.known = True
            wait_until(lambda: ask(client) == [7] and bool(other.methods))


def test_the_asynchronous_client_calls_it_then_too(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    monkeypatch.setattr(channel, "LOOKUP_PERIOD", 0.0)

    async def until_called(address: str, other: ScriptedServer) -> None:
        async with AsyncClient(address) as client:
            for number in itertools.count():
                await asyncio.gather(*(client.predict("m", {}) for _ in range(3)))
                names.known = number > 0
                if other.methods:
                    return

    with scripted(answer) as one, scripted(answer) as other:
        port = other.address.rpartition(":")[2]
        asyncio.run(asyncio.wait_for(until_called(f"{one.address},later.test:{port}", other), 240))


def test_names_are_looked_up_again_where_no_replica_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a container is started again with another address."""
    names = Names(monkeypatch)
    monkeypatch.setattr(channel, "LOOKUP_AFTER_FAILURE", 0.0)
    monkeypatch.setattr(channel, "LOOKUP_PERIOD", 1e9)
    with scripted(answer) as server:
        port = server.address.rpartition(":")[2]
        address = f"127.0.0.1:{free_port()},later.test:{port}"
        with Client(address, retries=Retries(attempts=1)) as client:
            with pytest.raises(errors.ServerUnavailable):
                ask(client)
            names.known = True

            def answered() -> bool:
                try:
                    return ask(client) == [7]
                except errors.ServerUnavailable:
                    return False

            wait_until(answered)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    directory = tmp_path_factory.mktemp("authorities")
    return Authority(directory, "ours"), Authority(directory, "strange")


@contextmanager
def encrypted(
    authority: Authority, answer: Any = answer, validity: Validity = VALID
) -> Iterator[ScriptedServer]:
    certificate, key = authority.issue(NAME, validity=validity)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with scripted(answer, credentials=credentials) as server:
        yield server


def trusting(authority: Authority, **options: Any) -> TlsOptions:
    return TlsOptions(ca=authority.certificate, server_name=NAME, **options)


@pytest.mark.parametrize("validity", [VALID, EXPIRED], ids=["of another CA", "expired"])
def test_a_replica_whose_certificate_is_refused_is_left_out(
    authorities: tuple[Authority, Authority], validity: Validity
) -> None:
    ours, strange = authorities
    with (
        encrypted(ours) as good,
        encrypted(ours if validity is EXPIRED else strange, validity=validity) as bad,
    ):
        for address in (f"{good.address},{bad.address}", f"{bad.address},{good.address}"):
            with Client(address, tls=trusting(ours)) as client:
                client.wait_ready()
                assert [ask(client) for _ in range(4)] == [[7]] * 4
        assert bad.methods == []


def refusal_of(error: type[errors.CallError], tls: TlsOptions, *addresses: str) -> str:
    """What a call to these replicas says, which fails with this error."""
    with (
        Client(",".join(addresses), tls=tls, retries=Retries(attempts=1)) as client,
        pytest.raises(error) as caught,
    ):
        ask(client)
    return str(caught.value)


def test_it_is_said_that_the_trusted_replica_is_away_and_why_no_other_is_called(
    authorities: tuple[Authority, Authority],
) -> None:
    ours, strange = authorities
    with encrypted(strange) as bad:
        away = f"127.0.0.1:{free_port()}"
        said = refusal_of(errors.ServerUnavailable, trusting(ours), away, bad.address)
    assert said.startswith(f"no model server answers at {away},{bad.address}. Start one")
    assert f"; not the replica {bad.address}: no CA that this client trusts" in said


def test_a_trusted_replica_that_is_busy_is_no_matter_of_trust(
    authorities: tuple[Authority, Authority],
) -> None:
    ours, strange = authorities
    busy = aborting(grpc.StatusCode.UNAVAILABLE, "the queue is full")
    with encrypted(ours, busy) as good, encrypted(strange) as bad:
        said = refusal_of(errors.ServerUnavailable, trusting(ours), good.address, bad.address)
    assert "the queue is full" in said


def test_where_every_replica_is_refused_that_is_the_error(authorities: tuple[Authority, Authority]) -> None:
    ours, strange = authorities
    with encrypted(strange) as one, encrypted(strange) as other:
        said = refusal_of(errors.TlsError, trusting(ours), one.address, other.address)
        assert said.count("no CA that this client trusts") == 1
        with (
            Client(f"{one.address},{other.address}", tls=trusting(ours)) as client,
            pytest.raises(errors.TlsError),
        ):
            client.wait_ready(timeout=600)


def test_replicas_that_are_refused_for_different_reasons_are_named_with_theirs(
    authorities: tuple[Authority, Authority],
) -> None:
    ours, strange = authorities
    with encrypted(strange) as one, encrypted(ours, validity=EXPIRED) as other:
        said = refusal_of(errors.TlsError, trusting(ours), one.address, other.address)
    assert f"{one.address}: no CA that this client trusts" in said
    assert f"{other.address}: the server's certificate has expired" in said


def test_a_replica_that_speaks_no_grpc_is_left_out() -> None:
    with scripted(answer) as good, web_server() as bad, Client(f"{bad},{good.address}") as client:
        assert [ask(client) for _ in range(4)] == [[7]] * 4
