"""Why a connection failed, where TLS is the reason.

gRPC reports a failed handshake as UNAVAILABLE like any dead server, and says why in words that change from release to
release. So after such a failure the handshake is made once more with Python's own TLS, whose verdict is a number.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from impasto.client.tls import TlsOptions

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


def refusal(endpoint: tuple[str, int], tls: TlsOptions | None) -> str | None:
    """What TLS has against a connection to `endpoint`; None if it has nothing, or nobody answers there."""
    try:
        with socket.create_connection(endpoint, timeout=_PATIENCE) as connection:
            if tls is None:
                return _plain_text_refusal(connection)
            return _tls_refusal(connection, tls, tls.server_name or endpoint[0])
    except OSError:
        return None


def _plain_text_refusal(connection: socket.socket) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent through it and nothing believed: the question is only whether TLS is spoken here.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connection):
            return "the server wants TLS: give the CA that signed its certificate (IMPASTO_TLS_CA, --tls-ca)"
    except OSError:
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
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        if encrypted.recv(1):
            return None
    if tls.certificate is None:
        return (
            "the server wants a client certificate: give one with its key (IMPASTO_TLS_CERT, IMPASTO_TLS_KEY)"
        )
    return (
        f"the server refuses the client certificate {tls.certificate}: it must be signed by a CA that the server "
        "trusts, and not have expired"
    )
