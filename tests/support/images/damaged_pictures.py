"""A process that reads files of every format, cut off and damaged, and reports what was not as it should be.

    python -m images.damaged_pictures SEED CUTS DAMAGES

Each file is cut at CUTS random lengths and damaged in DAMAGES random ways. The report, as JSON on standard output: how
many were read as pictures, how many ended as which error, the cases that ended otherwise, and the memory at its peak.
In a process of its own, so that a test sees it if a decoder ends the process.
"""

from __future__ import annotations

import collections
import json
import random
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from floods.mutations import damaged
from images.picture_files import made_files, written_files
from impasto.client import PictureWarning, read_picture
from impasto.client.errors import ImageError
from processes.watched_process import usage


def main(seed: int, cuts: int, damages: int) -> None:
    """Read them all and print the report."""
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", PictureWarning)
    outcomes: collections.Counter[str] = collections.Counter()
    complaints: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a photo.dat"
        for case, data in _cases(random.Random(seed), cuts, damages):
            path.write_bytes(data)
            try:
                picture = read_picture(path)
            except ImageError as error:
                outcomes[type(error).__name__] += 1
                if not str(error).startswith(str(path)):
                    complaints.append(f"{case}: the message does not name the file: {error}")
            except Exception:  # noqa: BLE001 - to find them is what this is for
                complaints.append(f"{case}: {traceback.format_exc()}")
            else:
                outcomes["picture"] += 1
                if picture.rgb.ndim != 3 or picture.rgb.dtype != "uint8":
                    complaints.append(f"{case}: {picture.rgb.shape} {picture.rgb.dtype}")
    json.dump({"outcomes": outcomes, "complaints": complaints, "peak": usage().peak}, sys.stdout)


def _cases(rng: random.Random, cuts: int, damages: int) -> Iterator[tuple[str, bytes]]:
    for name, data in (*written_files(), *made_files()):
        for number in range(cuts):
            yield f"{name}, cut {number}", data[: rng.randrange(len(data))]
        for number in range(damages):
            yield f"{name}, damage {number}", damaged(data, rng)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
