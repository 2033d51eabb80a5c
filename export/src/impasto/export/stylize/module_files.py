"""The files of a Hub module: copied, hashed, and compared with those that are pinned as Magenta's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from impasto.client.repository.version_files import entries, is_regular
from impasto.export.stylize.source import SourceError

_BLOCK: Final = 1 << 20
_MOST_BYTES: Final = 2 << 30
"""Magenta's module has less than a tenth of this."""

MAGENTA: Final[Mapping[str, str]] = {
    "saved_model.pb": "sha256:9c061b2fe4c9277d35adea3a2a620522e2d0b9685109f0e06fe8454b0be70a62",
    "variables/variables.data-00000-of-00002": "git:f9e4e691c6e69a81f92cc50a3a86015db38a7b9d",
    "variables/variables.data-00001-of-00002": (
        "sha256:a8970e355138697029fe71aca1cefe5f3ded143330ba1a9cf0b64d939238e3e3"
    ),
    "variables/variables.index": "sha256:ac7a95d72e0ebab3ff54ad58951ed00d3d0ba8b9e785c7b04af10f99caf1b150",
}
"""The pin of each file of google/magenta/arbitrary-image-stylization-v1-256/2 by its path in the module.

The Hub itself could not be reached from where the pins were made. They are taken from what others downloaded from it:
three public git repositories (Dimace/neural-transfer-flask, Sam-wyre/SST, Mrinnovater/StyleTransferforArt) hold
tensorflow_hub's cache of the module, whose descriptor names its URL and the day: in November 2019, June 2023 and April
2025. All three have exactly these four files with the same git ids, and so have four more repositories.

`sha256:` pins were computed from the files in these repositories. The weights, the file of 92403480 bytes, were not at
hand: its pin is the id that git gives it in all of them. That is weaker than SHA-256, but not weak: to put another file
in its place takes a second file with the same SHA-1, which nobody can make of a file that somebody else made. The
pinned index has a CRC-32C of each of its tensors as well, which TensorFlow compares as it loads them.
"""


@dataclass(frozen=True, kw_only=True)
class FileHashes:
    """The hashes of a file, in hexadecimal.

    Attributes:
        sha256: its SHA-256.
        git: its id in git, the SHA-1 of its length and its content.
    """

    sha256: str
    git: str

    def matches(self, pin: str) -> bool:
        """Return whether the file is the one that `pin` names, `sha256:...` or `git:...`."""
        return pin in {f"sha256:{self.sha256}", f"git:{self.git}"}


def copied(source: Path, target: Path) -> dict[str, FileHashes]:
    """Copy the files of a module, so that what is hashed is what is loaded. Empty folders stay behind.

    Returns:
        The hashes of each file by its path in the module.

    Raises:
        SourceError: there is a link, a pipe or a device among them, or they are too large.
        OSError: a file cannot be read.
    """
    hashes: dict[str, FileHashes] = {}
    left = _MOST_BYTES
    for name, path in entries(source.resolve()):
        if not is_regular(path):
            raise SourceError(
                f"{name!r} in the Hub module {source.name} is a link, a pipe or a device; put a plain file in its place"
            )
        goal = target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        sha256 = hashlib.sha256()
        with path.open("rb") as read, goal.open("xb") as written:
            # Git hashes the length first. Of a file that grows meanwhile it is no longer the id, which no pin accepts.
            git = hashlib.sha1(b"blob %d\0" % os.fstat(read.fileno()).st_size, usedforsecurity=False)
            while block := read.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise SourceError(
                        f"the Hub module {source.name} has more than {_MOST_BYTES >> 30} GiB; name another one"
                    )
                sha256.update(block)
                git.update(block)
                written.write(block)
        hashes[name] = FileHashes(sha256=sha256.hexdigest(), git=git.hexdigest())
    return hashes


def differences(found: Mapping[str, FileHashes], pinned: Mapping[str, str]) -> str:
    """Say in words how the files of a module differ from the pinned ones; nothing if they do not."""
    parts = {
        "missing": pinned.keys() - found.keys(),
        "added": found.keys() - pinned.keys(),
        "altered": {name for name in found.keys() & pinned.keys() if not found[name].matches(pinned[name])},
    }
    return "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in parts.items() if names)
