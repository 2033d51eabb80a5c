"""What goes through the HTTP proxy that the environment names, and what must not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from impasto.client import AsyncClient, Client, Retries, TlsOptions, errors
from scripted.client_servers import aborting, scripted
from scripted.recording_proxy import RecordingProxy, recording_proxy

SECRET = {"token": "sesame", "token_in_plain_text": True}


@pytest.fixture(params=["grpc_proxy", "https_proxy", "http_proxy"])
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingProxy]:
    for variable in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with recording_proxy() as proxy:
        monkeypatch.setenv(request.param, proxy.url)
        yield proxy


def fail_to_call(address: str, options: dict[str, Any], *, timeout: float) -> None:
    """With both clients, to a server that is not there."""

    async def call() -> None:
        async with AsyncClient(address, timeout=timeout, retries=Retries(attempts=1), **options) as client:
            with pytest.raises(errors.CallError):
                await client.status("m")

    with (
        Client(address, timeout=timeout, retries=Retries(attempts=1), **options) as client,
        pytest.raises(errors.CallError),
    ):
        client.status("m")
    asyncio.run(call())


@pytest.mark.parametrize("options", [{}, {"tls": TlsOptions(), "token": "sesame"}], ids=["plain", "tls"])
def test_a_server_elsewhere_is_reached_through_the_proxy(
    proxy: RecordingProxy, options: dict[str, Any]
) -> None:
    fail_to_call("models.invalid:8500", options, timeout=240)  # the proxy closes the connection before
    assert set(proxy.asked) == {"CONNECT models.invalid:8500 HTTP/1.1"}
    assert len(proxy.asked) >= 2


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("models.invalid:8500", SECRET),
        ("models.invalid:8500", {"metadata": {"authorization": "x"}, "token_in_plain_text": True}),
        ("192.0.2.1:8500,192.0.2.2:8500", {}),
        ("ipv4:192.0.2.1:8500,192.0.2.2:8500", {}),
        ("localhost:1", {"token": "sesame"}),
        ("dns:///localhost:1", {}),
    ],
)
def test_neither_plain_tokens_nor_replicas_nor_this_machine_go_through_the_proxy(
    proxy: RecordingProxy, address: str, options: dict[str, Any]
) -> None:
    fail_to_call(address, options, timeout=1)
    assert proxy.asked == []


def test_a_server_on_this_machine_gets_the_token_without_the_proxy(proxy: RecordingProxy) -> None:
    with scripted(aborting(grpc.StatusCode.NOT_FOUND)) as server:
        port = server.address.rpartition(":")[2]
        with Client(f"localhost:{port}", token="sesame") as client, pytest.raises(errors.ModelNotFound):
            client.status("m")
    assert proxy.asked == []
