"""TLS towards the server: whom the client trusts, and what it shows; and credentials among the metadata of calls."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from impasto.client.errors import CertificateError
from impasto.client.settings import forms
from impasto.client.settings.forms import documented, setting
from impasto.client.texts import MARKS

AUTHORIZATION: Final = "authorization"

# Headers of HTTP, of API gateways and of clouds; rather one too many than one too few.
_CREDENTIAL: Final = (
    r"authorization|cookie|credential|jwt|key|pass(code|phrase|wd|word)|secret|signature|token"
    r"|(^|[-_.])(auth|pwd|session|sid)([-_.]|$)|^x-goog-iam-"
)


def is_credential(name: str) -> bool:
    """Return whether metadata of this name, in lower case, is a credential: nobody else may read its value."""
    return re.search(_CREDENTIAL, name) is not None


@documented
@dataclass(frozen=True)
class TlsOptions:
    """Encrypt the connection, and check who is at its other end."""

    ca: str | os.PathLike[str] | None = setting(
        None,
        "IMPASTO_TLS_CA",
        forms.path(),
        "the CA that signed the server's certificate; the well-known ones if not set",
        flag="--tls-ca",
    )
    certificate: str | os.PathLike[str] | None = setting(
        None,
        "IMPASTO_TLS_CERT",
        forms.path(),
        "the client's certificate and those between it and its CA, for a server that wants one (mTLS)",
        flag="--tls-cert",
    )
    key: str | os.PathLike[str] | None = setting(
        None,
        "IMPASTO_TLS_KEY",
        forms.path(),
        "the key of the client's certificate, not encrypted",
        flag="--tls-key",
    )
    server_name: str | None = setting(
        None,
        "IMPASTO_TLS_SERVER_NAME",
        forms.text("a name in printable ASCII without spaces", r"[!-~]+"),
        "the name on the server's certificate, if it is not that of the address",
        flag="--tls-server-name",
    )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials of a gRPC channel. Raises CertificateError."""
        self.context()  # says what is wrong with a file; gRPC would only fail to connect
        ca, certificate, key = (
            None if path is None else Path(path).read_bytes()
            for path in (self.ca, self.certificate, self.key)
        )
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def channel_options(self) -> list[tuple[str, Any]]:
        """Return the options of a gRPC channel that go with the credentials."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []

    def context(self) -> ssl.SSLContext:
        """Return the context for Python's own TLS.

        Raises:
            CertificateError: a file cannot be read, is not PEM or is encrypted; certificate and key do not
                belong together, or one of them is missing.
        """
        context = ssl.create_default_context() if self.ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        if (self.certificate is None) != (self.key is None):
            missing, given = ("key", "certificate") if self.key is None else ("certificate", "key")
            raise CertificateError(f"tls: a {given} without its {missing} is of no use; give both or none")
        for path in (self.ca, self.certificate, self.key):
            if path is not None:
                _check_readable(path)
        try:
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except ssl.SSLError as error:
            raise CertificateError(f"tls ca: {self.ca} holds no PEM certificate ({error.reason})") from error
        try:
            if self.certificate is not None:
                # Any password keeps OpenSSL from asking for one: gRPC cannot use an encrypted key anyway.
                context.load_cert_chain(self.certificate, self.key, password="-")  # noqa: S106 - not a secret
        except ssl.SSLError as error:
            raise CertificateError(
                f"tls certificate {self.certificate} and key {self.key} cannot be used together ({error.reason}): "
                "both must be PEM, the key must be the certificate's and not be encrypted"
            ) from error
        return context


def _check_readable(path: str | os.PathLike[str]) -> None:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CertificateError(f"tls: {path} cannot be read: {error.strerror}") from error
    if content.startswith(MARKS):
        raise CertificateError(
            f"tls: {path} begins with a byte order mark, which hides the certificate or key from OpenSSL; save it as "
            "ASCII, or as UTF-8 without the mark"
        )
