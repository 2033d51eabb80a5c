"""A process that writes a picture and is killed on the way.

    python -m processes.killed_writer steps DIRECTORY

writes DIRECTORY/n/picture.png for n = 1, 2, ... in children that send themselves SIGKILL before their n-th call that
opens, links, renames or deletes a file, until one gets through, and prints how many were killed.

    python -m processes.killed_writer bytes FILE LIMIT

writes FILE, and the system kills the process when a file of its has LIMIT bytes: in the middle of a write.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from PIL import Image

from images import pictures
from impasto.client import write_picture

STEPS = ("open", "os.")


def new_picture() -> Image.Image:
    """What is being written."""
    return Image.fromarray(pictures.pixels(120, 160, seed=2))


def write(path: Path) -> None:
    write_picture(path, new_picture(), overwrite=path.exists())


def die_at(last: int) -> None:
    """Kill this process, from now on, at its `last`-th step."""
    steps = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event.startswith(STEPS):
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def walk(directory: Path) -> int:
    """Kill a child at every step; the number of those killed."""
    write(directory / "warm-up.png")  # so that what a first use imports is no step
    for step in range(1, 1000):
        child = os.fork()
        if child == 0:
            die_at(step)
            write(directory / str(step) / "picture.png")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return step - 1
    raise RuntimeError("no end of steps")


if __name__ == "__main__":
    if sys.argv[1] == "steps":
        sys.stdout.write(str(walk(Path(sys.argv[2]))))
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; the default is to die
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
        write(Path(sys.argv[2]))
