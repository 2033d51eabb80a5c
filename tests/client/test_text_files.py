"""Files that people write are read as their editors save them: with a byte order mark, with CRLF, or not as UTF-8."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from impasto.client import Client, TlsOptions
from impasto.client.errors import CertificateError, SettingsError
from impasto.client.repository.manifest import Manifest, ManifestError
from impasto.client.settings import resolve
from impasto.client.texts import NotUtf8, decoded_text
from servers.certificates import Authority
from servers.model_servers import serving

TOML = "# Größe\nserver = 'models.example:8500'\n[timeouts]\ndream = 1800\n"

SAVED = {
    "plainly": lambda text: text.encode(),
    "with a mark": lambda text: text.encode("utf-8-sig"),
    "with CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "with both": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
}
WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("saved", SAVED)
def test_a_configuration_file_is_read_as_it_was_saved(tmp_path: Path, saved: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(SAVED[saved](TOML))
    settings = resolve(config=config)
    assert (settings.address, settings.timeouts.dream) == ("models.example:8500", 1800)


@pytest.mark.parametrize("encoding", WIDE)
def test_a_configuration_file_in_a_wide_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(TOML.encode(encoding))
    with pytest.raises(SettingsError, match=re.escape(f"{config} cannot be read: it is UTF-16 or UTF-32")):
        resolve(config=config)


@pytest.mark.parametrize("encoding", ["latin-1", "cp437"])
def test_a_configuration_file_in_an_old_encoding_is_named_with_the_line(
    tmp_path: Path, encoding: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(("\n" + TOML).encode(encoding))
    with pytest.raises(
        SettingsError, match=f"{re.escape(str(config))} .*not UTF-8 .* in line 2; save it as UTF-8"
    ):
        resolve(config=config)


@pytest.mark.parametrize("saved", SAVED)
def test_a_manifest_is_read_as_it_was_saved(tmp_path: Path, saved: str) -> None:
    manifest = Manifest(model="toy", source={"by": "Größe"})
    (tmp_path / "manifest.json").write_bytes(SAVED[saved](manifest.to_json()))
    assert Manifest.read(tmp_path) == manifest


@pytest.mark.parametrize("encoding", WIDE)
def test_a_manifest_in_a_wide_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(Manifest(model="toy").to_json().encode(encoding))
    with pytest.raises(ManifestError, match=re.escape(f"{path} cannot be read: it is UTF-16 or UTF-32")):
        Manifest.read(tmp_path)


def test_certificates_with_crlf_are_used(toy_repository: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    options = authority.client()
    paths = [Path(str(path)) for path in (options.ca, options.certificate, options.key)]
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    ca, certificate, key = paths
    config = authority.ssl_config("127.0.0.1", client_ca=ca)
    with (
        serving("local", toy_repository, only=["half"], ssl_config_file=config) as server,
        Client(server.address, tls=TlsOptions(ca=ca, certificate=certificate, key=key)) as client,
    ):
        assert client.status("half")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize("role", ["ca", "certificate", "key"])
def test_a_certificate_behind_a_mark_is_named(tmp_path: Path, role: str, mark: bytes) -> None:
    options = Authority(tmp_path, "ca").client()
    path = Path(str(getattr(options, role)))
    path.write_bytes(mark + path.read_bytes())
    with pytest.raises(CertificateError, match=re.escape(f"{path} begins with a byte order mark")):
        Client("localhost:1", tls=options)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"\xef\xbb\xbf", ""),
        (b"a", "a"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", "\ufeffa"),
        (b"a\r\nb", "a\r\nb"),
    ],
)
def test_a_mark_is_no_part_of_the_text(content: bytes, text: str) -> None:
    assert decoded_text(content) == text


@pytest.mark.parametrize("content", [b"\xff", b"a\0"[::-1], b"\xef\xbb", b"\xed\xa0\x80"])
def test_what_is_not_utf8_is_refused(content: bytes) -> None:
    with pytest.raises(NotUtf8):
        decoded_text(content)
