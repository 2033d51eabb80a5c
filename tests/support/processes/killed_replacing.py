"""A process that replaces a file in children which kill themselves one step later each time.

    python -m processes.killed_replacing FILE

Each child sends itself SIGKILL before its n-th call that opens, links, locks, renames or deletes a file; the last one
gets through. One line a child is printed: the file's content after it, and how many files lie beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from impasto.serving.rollout.files import replace_file
from processes.killed_at import die_at


def main(path: Path) -> None:
    """Replace `path` until nobody is killed any more."""
    tempfile.mkstemp()  # so that what a first use looks up is no step
    for step in range(1, 1000):
        child = os.fork()
        if child == 0:
            die_at(step)
            replace_file(path, f"new {step}".encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        beside = len(list(path.parent.iterdir())) - 1
        sys.stdout.write(f"{path.read_text()}, {beside} beside, {'through' if status == 0 else 'killed'}\n")
        if status == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
