"""Folders that take long to make, made once for all processes of a run of the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def shared_folder(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """A folder that whichever process comes first fills, while the others wait for it. Nobody may change it later.

    Args:
        factory: knows where this run's temporary files are.
        name: of the folder, the same in every process.
        fill: writes the content into the empty folder that it gets.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # where each worker has a folder
    folder, unfinished = root / f"shared-{name}", root / f"unfinished-{name}"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            fill(unfinished)
            unfinished.rename(folder)
    return folder
