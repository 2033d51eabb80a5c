"""The reason why a connection failed, where it is what answers: TLS, or another protocol than gRPC's.

gRPC reports a failed handshake as UNAVAILABLE like any dead server, and says why in words that change from release to
release. So after such a failure the handshake is made once more with Python's own TLS, whose verdict is a number; and
where TLS has nothing against it, HTTP/2 is tried, and HTTP/1 where that is not spoken.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from impasto.client.settings.addresses import DEFAULT_PORT, REST_PORT
from impasto.client.settings.tls import TlsOptions

_PATIENCE: Final = 2.0
"""Seconds for each step of the second handshake."""

_EXPIRED, _NOT_YET_VALID = 10, 9
_WRONG_NAME, _WRONG_ADDRESS = 62, 64

_VERDICTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        _EXPIRED: "the server's certificate has expired: renew it there",
        _NOT_YET_VALID: "the server's certificate is not valid yet: compare the clocks of the two machines",
        _WRONG_NAME: "the server's certificate is for another name than {name}: connect by the name that it is for, "
        "or give that as the TLS server name",
        _WRONG_ADDRESS: "the server's certificate is not for the address {name}: connect by the name that it is for, "
        "or give that as the TLS server name",
    }
)
"""By X509_verify_cert's numbers, which OpenSSL keeps stable."""

_UNTRUSTED: Final = "no CA that this client trusts ({ca}) has signed the server's certificate: {reason}"


# The connection preface of HTTP/2 (RFC 9113, 3.4): these bytes and a SETTINGS frame, here an empty one. The other side
# answers with a SETTINGS frame of its own, whose type is the fourth byte.
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER: Final = 9
_SETTINGS: Final = 4


class Refusal(NamedTuple):
    """A reason against a connection to an endpoint.

    Attributes:
        reason: in words that a person can act on.
        is_tls: whether it is TLS; else what answers does not speak gRPC.
    """

    reason: str
    is_tls: bool = True


def refusal(endpoint: tuple[str, int], tls: TlsOptions | None) -> Refusal | None:
    """Return what stands against a connection to `endpoint`; None if it is nothing, or nobody answers there.

    Takes up to some seconds.
    """
    try:
        with _connected(endpoint) as connection:
            reason = (
                _plain_text_refusal(connection)
                if tls is None
                else _tls_refusal(connection, tls, tls.server_name or endpoint[0])
            )
        if reason is not None:
            return Refusal(reason)
        return None if _speaks_http2(endpoint, tls) else _other_protocol(endpoint, tls)
    except (OSError, UnicodeError):  # UnicodeError: a name that Python cannot look up, nor gRPC
        return None


def _connected(endpoint: tuple[str, int]) -> socket.socket:
    return socket.create_connection(endpoint, timeout=_PATIENCE)


def _answer(endpoint: tuple[str, int], tls: TlsOptions | None, request: bytes, *, protocol: str) -> bytes:
    """The first bytes of the answer to `request`, empty if the connection is closed. Raises OSError."""
    with _connected(endpoint) as connection:
        if tls is None:
            return _exchange(connection, request)
        context = tls.context()
        context.set_alpn_protocols([protocol])
        name = tls.server_name or endpoint[0]
        with context.wrap_socket(connection, server_hostname=name) as encrypted:
            return _exchange(encrypted, request)


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        connection.sendall(request)
        while len(received) < _FRAME_HEADER and (more := connection.recv(4096)):
            received += more
    return received


def _speaks_http2(endpoint: tuple[str, int], tls: TlsOptions | None) -> bool:
    received = _answer(endpoint, tls, _PREFACE, protocol="h2")
    return len(received) >= _FRAME_HEADER and received[3] == _SETTINGS


def _other_protocol(endpoint: tuple[str, int], tls: TlsOptions | None) -> Refusal | None:
    """Return the protocol that is spoken instead of HTTP/2; None where a connection is closed without a word."""
    host, port = endpoint
    request = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    received = _answer(endpoint, tls, request, protocol="http/1.1")
    if not received:
        return None
    spoken = "HTTP/1" if received.startswith(b"HTTP/1") else "another protocol"
    return Refusal(
        f"port {port} speaks {spoken}, not gRPC. TensorFlow Serving has a port for each: give that of gRPC "
        f"(its --port, usually {DEFAULT_PORT}), not that of REST (its --rest_api_port, usually {REST_PORT})",
        is_tls=False,
    )


def _plain_text_refusal(connection: socket.socket) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent through it and nothing believed: the question is only whether TLS is spoken here.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connection):
            return "the server wants TLS: give the CA that signed its certificate (IMPASTO_TLS_CA, --tls-ca)"
    except (OSError, UnicodeError):  # UnicodeError: a name that Python cannot look up, nor gRPC
        return None


def _tls_refusal(connection: socket.socket, tls: TlsOptions, name: str) -> str | None:
    try:
        with tls.context().wrap_socket(connection, server_hostname=name) as encrypted:
            return _refusal_of_client(encrypted, tls)
    except ssl.SSLCertVerificationError as error:
        verdict = _VERDICTS.get(error.verify_code, _UNTRUSTED)
        return verdict.format(name=name, ca=tls.ca or "the well-known ones", reason=error.verify_message)
    except ssl.SSLError as error:
        return f"what answers there does not speak TLS, or no version of it that this client speaks ({error.reason})"


def _refusal_of_client(encrypted: ssl.SSLSocket, tls: TlsOptions) -> str | None:
    """In TLS 1.3 a server judges the client after the client's side of the handshake is done, then hangs up."""
    try:
        if encrypted.recv(1):
            return None
    except TimeoutError:
        return None  # it waits for a request, as no gRPC server does: TLS is not the reason
    except (ConnectionError, ssl.SSLError):
        pass
    if tls.certificate is None:
        return (
            "the server wants a client certificate: give one with its key (IMPASTO_TLS_CERT, IMPASTO_TLS_KEY)"
        )
    return (
        f"the server refuses the client certificate {tls.certificate}: it must be signed by a CA that the server "
        "trusts, and not have expired"
    )
