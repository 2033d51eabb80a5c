"""A process that reads mutated checkpoints, and reports what came of it and what memory it took.

    python -m processes.mutated_checkpoints FILE NUMBER SEED

Every second one is damaged inside, in an archive whose checksums are right. Standard output gets a JSON object: the
numbers of those that were refused and of those that were read, every other error, and the most bytes in use.
"""

from __future__ import annotations

import io
import json
import random
import resource
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, Final

from floods.mutations import damaged
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client.errors import CheckpointError

_ADDRESS_SPACE: Final = 4 * 2**30


def damaged_inside(data: bytes, rng: random.Random) -> bytes:
    """The archive with damage in one of its members, stored or deflated anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    members[name] = damaged(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", rng.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))
    ) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return buffer.getvalue()


def main(path: Path, number: int, seed: int) -> None:
    """Read `number` mutations of the checkpoint at `path`."""
    good, rng = path.read_bytes(), random.Random(seed)
    place = path.with_name("mutated")
    report: dict[str, Any] = {"refused": 0, "read": 0, "others": [], "peak": 0}
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    tracemalloc.start()
    for count in range(number):
        place.write_bytes(damaged(good, rng) if count % 2 else damaged_inside(good, rng))
        try:
            CheckpointFile(place).read()
            report["read"] += 1
        except CheckpointError:
            report["refused"] += 1
        except Exception as error:  # noqa: BLE001 - any other one is what is looked for
            report["others"].append(f"{count}: {error!r}")
    report["peak"] = tracemalloc.get_traced_memory()[1]
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
