"""Certificate authorities, and the files that servers and clients read, made for a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import trustme
from google.protobuf import text_format

from impasto.client import TlsOptions
from impasto.serving.schema.server_files_pb2 import SSLConfig

NOW = datetime.now(timezone.utc)


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate is valid."""

    start: datetime
    end: datetime


VALID = Validity(NOW - timedelta(days=1), NOW + timedelta(days=1))
EXPIRED = Validity(NOW - timedelta(days=9), NOW - timedelta(days=1))
NOT_YET_VALID = Validity(NOW + timedelta(days=1), NOW + timedelta(days=9))


class Authority:
    """A CA whose certificate lies in `directory`, with the certificates that it issues."""

    def __init__(self, directory: Path, name: str) -> None:
        self._authority = trustme.CA()
        self._directory = directory
        self._name = name
        self.certificate = self._write("ca", self._authority.cert_pem.bytes())

    def issue(self, *names: str, validity: Validity = VALID) -> tuple[Path, Path]:
        """Files with a certificate for these names, and with its key."""
        issued = self._authority.issue_cert(*names, not_before=validity.start, not_after=validity.end)
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        stem = f"{names[0]}-{issued.cert_chain_pems[0].bytes()[-60:-40].hex()}"
        return self._write(f"{stem}.cert", chain), self._write(f"{stem}.key", issued.private_key_pem.bytes())

    def client(self, *, ca: Path | None = None, validity: Validity = VALID) -> TlsOptions:
        """Options of a client that shows a certificate of this authority and trusts `ca`, or this one."""
        certificate, key = self.issue("client.example", validity=validity)
        return TlsOptions(ca=ca or self.certificate, certificate=certificate, key=key)

    def ssl_config(self, *names: str, client_ca: Path | None = None, validity: Validity = VALID) -> Path:
        """The file of --ssl_config_file with a server certificate; with `client_ca`, clients need one as well."""
        certificate, key = self.issue(*names, validity=validity)
        config = SSLConfig(server_key=key.read_text(), server_cert=certificate.read_text())
        if client_ca is not None:
            config.custom_ca = client_ca.read_text()
            config.client_verify = True
        return self._write(f"{certificate.stem}.ssl.config", text_format.MessageToString(config).encode())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / f"{self._name}-{name}.pem"
        path.write_bytes(content)
        return path


def arguments(tls: TlsOptions) -> list[Any]:
    """The command line's options for these."""
    options = {"--tls-ca": tls.ca, "--tls-cert": tls.certificate, "--tls-key": tls.key}
    named = {**options, "--tls-server-name": tls.server_name}
    return [str(part) for name, value in named.items() if value is not None for part in (name, value)]
