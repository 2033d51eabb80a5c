"""The files of a Hub module: copied, hashed, and compared with those that this program knows to be Magenta's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from impasto.client.repository.version_files import entries, is_regular
from impasto.export.stylize.source import SourceError

_BLOCK: Final = 1 << 20
_MOST_BYTES: Final = 2 << 30
"""Magenta's module has less than a tenth of this."""

MAGENTA: Final[Mapping[str, str]] = {}
"""The SHA-256 of each file of google/magenta/arbitrary-image-stylization-v1-256/2 by its path in the module.

None is known: no machine that this program was made on reaches the Hub. As long as it is empty every module counts as
unpinned. An export with --allow-unpinned writes the SHA-256 of each file into the manifest (`source.weights.sha256`):
whoever has compared them with those of a second download enters them here.
"""


def copied(source: Path, target: Path) -> dict[str, str]:
    """Copy the files of a module, so that what is hashed is what is loaded.

    Returns:
        The SHA-256 of each file by its path in the module.

    Raises:
        SourceError: there is a link, a pipe or a device among them, or they are too large.
        OSError: a file cannot be read.
    """
    digests: dict[str, str] = {}
    left = _MOST_BYTES
    for name, path in entries(source.resolve()):
        if not is_regular(path):
            raise SourceError(
                f"{name!r} in the Hub module {source.name} is a link, a pipe or a device; put a plain file in its place"
            )
        goal = target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("rb") as read, goal.open("xb") as written:
            while block := read.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise SourceError(
                        f"the Hub module {source.name} has more than {_MOST_BYTES >> 30} GiB; name another one"
                    )
                digest.update(block)
                written.write(block)
        digests[name] = digest.hexdigest()
    return digests


def differences(found: Mapping[str, str], pinned: Mapping[str, str]) -> str:
    """Say in words how the files of a module differ from the pinned ones; nothing if they do not."""
    if not pinned:
        return "this release knows the SHA-256 of no module's files"
    parts = {
        "missing": pinned.keys() - found.keys(),
        "added": found.keys() - pinned.keys(),
        "altered": {name for name in found.keys() & pinned.keys() if found[name] != pinned[name]},
    }
    return "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in parts.items() if names)
