"""A call to a port that does not speak gRPC says so, and which port to use."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.client import AsyncClient, Client, TlsOptions, errors
from impasto.client.cli import exit_codes, run
from scripted.raw_http2 import answering_http, raw_server, resetting
from scripted.web_servers import web_server
from servers.certificates import Authority

WORDS = r"port \d+ speaks HTTP/1, not gRPC.*its --port, usually 8500.*--rest_api_port, usually 8501"


@contextlib.contextmanager
def refusing_each_request(answer: bytes) -> Iterator[str]:
    """The address of a server that answers this to whatever is sent, and hangs up, as nginx does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(5)
                        if connection.recv(4096):
                            connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def said_of(address: str, tls: TlsOptions | None = None) -> str:
    """What a call says that must find no gRPC there."""
    with Client(address, tls=tls) as client, pytest.raises(errors.CallUnsupported) as caught:
        client.predict("m", {})
    return str(caught.value)


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_a_web_server_speaks_http_1(protocol: str) -> None:
    with web_server(protocol=protocol) as address:
        assert address in said_of(address)
        with pytest.raises(errors.CallUnsupported, match=WORDS), Client(address) as client:
            client.status("m")


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "503 Service Unavailable", "200 OK"])
def test_a_web_server_that_refuses_http_2_is_recognised_by_any_status(status: str) -> None:
    answer = (
        f"HTTP/1.1 {status}\r\nServer: nginx\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno".encode()
    )
    with (
        refusing_each_request(answer) as address,
        pytest.raises(errors.CallUnsupported, match=WORDS),
        Client(address) as client,
    ):
        client.predict("m", {})


def test_the_asynchronous_client_says_so_too() -> None:
    async def call(address: str) -> None:
        async with AsyncClient(address) as client:
            await client.predict("m", {})

    with web_server() as address, pytest.raises(errors.CallUnsupported, match=WORDS):
        asyncio.run(call(address))


def test_a_web_server_behind_tls_speaks_http_1(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    with (
        web_server(context=context) as address,
        pytest.raises(errors.CallUnsupported, match=WORDS),
        Client(address, tls=TlsOptions(ca=authority.certificate)) as client,
    ):
        client.predict("m", {})


def test_a_server_of_another_protocol_is_recognised_as_one() -> None:
    with refusing_each_request(b"SSH-2.0-OpenSSH_9.2\r\n") as address:
        assert "speaks another protocol, not gRPC" in said_of(address)


@pytest.mark.parametrize("status", [200, 302, 400, 404, 500])
def test_an_http_2_server_that_is_no_grpc_server_is_recognised(status: int) -> None:
    with raw_server([answering_http(status)]) as server, Client(server.address) as client:
        # Before 1.8x, grpcio knows no difference between the page with status 200 and a connection that breaks.
        expected = (
            (errors.CallUnsupported, errors.ConnectionLost) if status == 200 else errors.CallUnsupported
        )
        with pytest.raises(expected):
            client.predict("m", {})


def test_a_server_that_asks_for_http_1_is_no_grpc_server() -> None:
    with (
        raw_server([resetting(13)]) as server,
        Client(server.address) as client,
        pytest.raises(errors.CallUnsupported, match="is it the gRPC port, usually 8500"),
    ):
        client.predict("m", {})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_whose_server_is_away_is_a_server_that_is_away(status: int) -> None:
    with (
        raw_server([answering_http(status)]) as server,
        Client(server.address) as client,
        pytest.raises(errors.ServerUnavailable, match=f"status: {status}"),
    ):
        client.predict("m", {})


def test_waiting_for_a_server_does_not_wait_at_the_wrong_port() -> None:
    with (
        web_server() as address,
        Client(address) as client,
        pytest.raises(errors.CallUnsupported, match=WORDS),
    ):
        client.wait_ready(timeout=600)


def test_the_command_line_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with web_server() as address:
        assert run(["status", "--server", address]) == exit_codes.REFUSED
    assert capsys.readouterr().err.startswith(f"impasto: no gRPC call to {address}: port")
