"""A long job's command that is killed again and again."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from processes.command_line import wait_until


def kill_again_and_again(
    begin: Callable[[], subprocess.Popen[str]], steps_done: Callable[[], int], result: Path, *, steps: int
) -> None:
    """Kills the command twice after a checkpoint of its own and three times at random moments, by a seed.

    Args:
        begin: starts the command.
        steps_done: how many steps its checkpoint has, which must be whole whenever this is called.
        result: the file that is there once the command has ended; it is deleted.
        steps: of the whole job.
    """
    reached = [0]
    for _ in range(2):
        process = begin()
        wait_until(lambda: steps_done() > reached[-1])
        process.kill()
        process.communicate()
        reached.append(steps_done())
        assert reached[-2] < reached[-1] < steps
        assert not result.exists()
    moments = random.Random(0)
    for _ in range(3):
        process = begin()
        time.sleep(moments.uniform(0.2, 1.2))
        process.kill()
        process.communicate()
        if result.exists():  # this machine needs less time than that
            result.unlink()
            break
        reached.append(steps_done())  # whatever it was doing, the checkpoint is whole
        assert reached[-2] <= reached[-1]
