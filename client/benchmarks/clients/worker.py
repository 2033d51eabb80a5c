"""Runs one client library's tasks on request, so that several libraries can be measured in turn, round by round."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Task = Callable[[Any], Any]


def work(tasks: dict[str, tuple[Task, Task]]) -> None:
    """Answer the requests on standard input, a JSON object a line, until it ends.

    A request names a task and a file. The answer gives the seconds that the task took and, if it made an array, the
    SHA-256 of its bytes.

    Args:
        tasks: by name, what prepares the task's argument from the file's content (an array from `.npy`, else
            bytes), which is not timed, and the task.
    """
    for line in sys.stdin:
        wanted = json.loads(line)
        path = Path(wanted["file"])
        content = np.load(path) if path.suffix == ".npy" else path.read_bytes()
        prepare, task = tasks[wanted["task"]]
        argument = prepare(content)
        gc.collect()
        started = time.perf_counter()
        result = task(argument)
        seconds = time.perf_counter() - started
        digest = hashlib.sha256(result.tobytes()).hexdigest() if isinstance(result, np.ndarray) else None
        sys.stdout.write(json.dumps({"seconds": seconds, "digest": digest}) + "\n")
        sys.stdout.flush()


def as_it_is(content: Any) -> Any:
    """Prepares nothing."""
    return content
