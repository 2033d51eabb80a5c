"""A process that does one thing to a repository again and again, and kills itself one step later each time.

    python -m processes.killed_at ACTION DIRECTORY

DIRECTORY/template holds a repository. For n = 1, 2, ... a child gets a copy of it in DIRECTORY/n, runs ACTION there
and sends itself SIGKILL at the n-th step: before its n-th call that opens, lists, makes, renames, locks or deletes
anything. It ends with the first child that got through, and prints how many were killed.

Children are forked here, in a process without threads, rather than in the tests' own.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from impasto.export.repository import ModelRepository
from toys.toy_repository import publish_toy

ACTIONS: dict[str, Callable[[ModelRepository], object]] = {
    "publish": lambda repository: publish_toy(repository, b"new"),
    "prune": lambda repository: repository.prune("toy", keep=1),
    "roll_back": lambda repository: repository.roll_back("toy"),
}
STEPS = ("open", "os.", "fcntl.", "shutil.", "tempfile.")


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


def main(action: str, directory: Path) -> None:
    """Run `action` until it is not killed any more."""
    # Once here, so that what a first use imports is no step.
    ACTIONS[action](ModelRepository(shutil.copytree(directory / "template", directory / "warm")))
    shutil.rmtree(directory / "warm")
    step = 0
    while True:
        step += 1
        root = shutil.copytree(directory / "template", directory / str(step))
        child = os.fork()
        if child == 0:
            die_at(step)
            ACTIONS[action](ModelRepository(root))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            break
    sys.stdout.write(str(step - 1))
    sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
