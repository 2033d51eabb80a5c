"""TLS and mTLS between the client and the local server: who is trusted, and what a person is told who is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from impasto.client import Client, TlsOptions
from impasto.client.cli import exit_codes, run
from impasto.client.errors import CertificateError, ServerUnavailable, TlsError
from impasto.serving import ConfigError
from scripted.client_servers import aborting, scripted
from servers.certificates import EXPIRED, NOT_YET_VALID, Authority, Validity, arguments
from servers.model_servers import ModelServer, serving

X = np.array([2], np.float32)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "good")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "stranger")


@pytest.fixture(scope="module")
def tls_server(toy_repository: Path, authority: Authority, server_kind: str) -> Iterator[ModelServer]:
    config = authority.ssl_config("127.0.0.1", "localhost")
    with serving(server_kind, toy_repository, only=["half"], ssl_config_file=config) as server:
        yield server


@pytest.fixture(scope="module")
def mtls_server(toy_repository: Path, authority: Authority, server_kind: str) -> Iterator[ModelServer]:
    config = authority.ssl_config("127.0.0.1", client_ca=authority.certificate)
    with serving(server_kind, toy_repository, only=["half"], ssl_config_file=config) as server:
        yield server


def half(address: str, tls: TlsOptions | None) -> float:
    with Client(address, tls=tls) as client:
        return float(client.predict("half", {"x": X})["y"][0])


def refusal(address: str, tls: TlsOptions | None) -> str:
    """What the client says; it must not blame a missing server."""
    with pytest.raises(TlsError) as caught:
        half(address, tls)
    error = caught.value
    assert isinstance(error, ConnectionError)
    assert not isinstance(error, ServerUnavailable)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert isinstance(error.__cause__, grpc.RpcError)
    assert (error.address, error.model) == (address, "half")
    assert str(error).startswith(f"no trusted connection to {address}: ")
    return str(error)


def test_a_client_that_trusts_the_ca_is_answered(tls_server: ModelServer, authority: Authority) -> None:
    trusting = TlsOptions(ca=authority.certificate)
    assert half(tls_server.address, trusting) == 3
    assert half(f"localhost:{tls_server.port}", trusting) == 3
    assert half(f"dns:///localhost:{tls_server.port}", trusting) == 3


def test_a_wrong_ca_is_named(tls_server: ModelServer, stranger: Authority) -> None:
    message = refusal(tls_server.address, TlsOptions(ca=stranger.certificate))
    assert f"no CA that this client trusts ({stranger.certificate}) has signed" in message


def test_without_a_ca_the_well_known_ones_are_trusted(tls_server: ModelServer) -> None:
    assert "(the well-known ones)" in refusal(tls_server.address, TlsOptions())


@pytest.mark.parametrize(
    ("validity", "words"),
    [(EXPIRED, "the server's certificate has expired"), (NOT_YET_VALID, "is not valid yet")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_is_refused(
    toy_repository: Path, authority: Authority, validity: Validity, words: str, server_kind: str
) -> None:
    config = authority.ssl_config("127.0.0.1", validity=validity)
    with serving(server_kind, toy_repository, only=["half"], ssl_config_file=config) as server:
        assert words in refusal(server.address, TlsOptions(ca=authority.certificate))


def test_a_certificate_for_another_name_is_refused_unless_that_name_is_given(
    toy_repository: Path, authority: Authority, server_kind: str
) -> None:
    config = authority.ssl_config("models.example")
    with serving(server_kind, toy_repository, only=["half"], ssl_config_file=config) as server:
        by_address = refusal(server.address, TlsOptions(ca=authority.certificate))
        assert "the server's certificate is not for the address 127.0.0.1" in by_address
        by_name = refusal(f"localhost:{server.port}", TlsOptions(ca=authority.certificate))
        assert "the server's certificate is for another name than localhost" in by_name
        named = TlsOptions(ca=authority.certificate, server_name="models.example")
        assert half(server.address, named) == 3
        misnamed = TlsOptions(ca=authority.certificate, server_name="other.example")
        assert "is for another name than other.example" in refusal(server.address, misnamed)


def test_a_client_without_tls_is_told_that_the_server_wants_it(tls_server: ModelServer) -> None:
    message = refusal(tls_server.address, None)
    assert "the server wants TLS: give the CA that signed its certificate" in message


def test_a_server_without_tls_is_recognised(toy_server: ModelServer, authority: Authority) -> None:
    message = refusal(toy_server.address, TlsOptions(ca=authority.certificate))
    assert "what answers there does not speak TLS" in message


def test_mtls_lets_in_a_client_whose_certificate_the_server_trusts(
    mtls_server: ModelServer, authority: Authority
) -> None:
    assert half(mtls_server.address, authority.client()) == 3


def test_mtls_refuses_a_client_without_a_certificate(mtls_server: ModelServer, authority: Authority) -> None:
    message = refusal(mtls_server.address, TlsOptions(ca=authority.certificate))
    assert "the server wants a client certificate" in message


@pytest.mark.parametrize("fault", ["of another CA", "expired"])
def test_mtls_refuses_a_client_certificate_that_is(
    mtls_server: ModelServer, authority: Authority, stranger: Authority, fault: str
) -> None:
    expired, strange = authority.client(validity=EXPIRED), stranger.client(ca=authority.certificate)
    tls = expired if fault == "expired" else strange
    assert f"the server refuses the client certificate {tls.certificate}" in refusal(mtls_server.address, tls)


def test_waiting_for_a_server_does_not_wait_for_trust(tls_server: ModelServer, stranger: Authority) -> None:
    tls = TlsOptions(ca=stranger.certificate)
    with Client(tls_server.address, tls=tls) as client, pytest.raises(TlsError):
        client.wait_ready(timeout=3600)  # the test's own time limit is shorter


def test_a_server_that_is_away_is_no_matter_of_trust(authority: Authority, unused_port: int) -> None:
    address = f"127.0.0.1:{unused_port}"
    for tls in (None, TlsOptions(ca=authority.certificate)):
        with pytest.raises(ServerUnavailable, match="no model server answers"):
            half(address, tls)


@pytest.fixture
def unused_port() -> int:
    with scripted(aborting(grpc.StatusCode.UNAVAILABLE)) as server:
        return int(server.address.rpartition(":")[2])


def test_a_unix_socket_speaks_tls_too(
    toy_repository: Path, authority: Authority, tmp_path: Path, server_kind: str
) -> None:
    config = authority.ssl_config("models.example")
    named = TlsOptions(ca=authority.certificate, server_name="models.example")
    with serving(
        server_kind, toy_repository, only=["half"], ssl_config_file=config, grpc_socket_path=tmp_path / "s"
    ):
        assert half(f"unix:{tmp_path / 's'}", named) == 3


def test_an_address_without_one_name_needs_the_name_of_the_certificate(
    tls_server: ModelServer, authority: Authority
) -> None:
    both = f"{tls_server.address},{tls_server.address}"
    for address in (both, "unix:/tmp/socket"):
        with pytest.raises(
            CertificateError, match="give the name that the certificate is for as server_name"
        ):
            Client(address, tls=TlsOptions(ca=authority.certificate))
    assert half(both, TlsOptions(ca=authority.certificate, server_name="localhost")) == 3


def test_the_environment_switches_tls_on(
    mtls_server: ModelServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = authority.client()
    monkeypatch.setenv("IMPASTO_TLS_CA", str(tls.ca))
    monkeypatch.setenv("IMPASTO_TLS_CERT", str(tls.certificate))
    monkeypatch.setenv("IMPASTO_TLS_KEY", str(tls.key))
    assert half(mtls_server.address, None) == 3
    monkeypatch.setenv("IMPASTO_TLS_SERVER_NAME", "other.example")
    assert "other.example" in refusal(mtls_server.address, None)


def test_the_command_line_takes_the_files_as_options(
    mtls_server: ModelServer, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    status = ["status", "half", "--server", mtls_server.address]
    assert run([*status, *arguments(authority.client())]) == exit_codes.DONE
    assert "AVAILABLE" in capsys.readouterr().out
    assert run([*status, "--tls-ca", str(authority.certificate)]) == exit_codes.UNREACHABLE
    assert "the server wants a client certificate" in capsys.readouterr().err
    assert run([*status, "--tls-ca", "/nowhere"]) == exit_codes.USAGE
    assert "/nowhere cannot be read: No such file or directory" in capsys.readouterr().err


def test_files_that_cannot_be_used_are_named_before_anything_is_sent(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("a.example")
    _, other_key = authority.issue("b.example")
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    ca = authority.certificate
    for tls, words in [
        (TlsOptions(ca=tmp_path / "gone"), "gone cannot be read: No such file"),
        (TlsOptions(ca=tmp_path), "cannot be read: Is a directory"),
        (TlsOptions(ca=junk), "junk.pem holds no PEM certificate"),
        (TlsOptions(ca=ca, certificate=certificate), "a certificate without its key"),
        (TlsOptions(ca=ca, key=key), "a key without its certificate"),
        (TlsOptions(ca=ca, certificate=certificate, key=other_key), "cannot be used together"),
        (TlsOptions(ca=ca, certificate=junk, key=key), "both must be PEM"),
        (TlsOptions(ca=ca, certificate=certificate, key=tmp_path / "gone"), "gone cannot be read"),
    ]:
        with pytest.raises(CertificateError, match=r"^tls") as caught:
            Client("localhost:1", tls=tls)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: "", "server_key and server_cert are needed"),
        (lambda text: text + "client_verify: true", "client_verify needs custom_ca"),
        (lambda text: text.replace("BEGIN", "END"), "refuses its key and certificates"),
        (lambda text: text + "certificate: 1", "cannot be read as a text SSLConfig (line "),
    ],
    ids=["empty", "no ca", "damaged", "unknown field"],
)
def test_a_server_does_not_start_with_an_ssl_config_that(
    toy_repository: Path, authority: Authority, tmp_path: Path, edit: Any, words: str
) -> None:
    good = authority.ssl_config("127.0.0.1").read_text()
    bad = tmp_path / "ssl.config"
    bad.write_text(edit(good))
    with pytest.raises(ConfigError) as caught, serving("local", toy_repository, ssl_config_file=bad):
        pass
    assert words in str(caught.value)
