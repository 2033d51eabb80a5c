"""The place where a version is put together, and the locks that tell remains of killed processes from living ones.

A model's directory holds, beside its versions, names that no server takes for a version because they are no
numbers:

    .lock             held (flock) for the moments in which names appear or vanish
    .staging-XXXX/    one publisher's: `lock` is held as long as it lives, `version/` is what it writes
    .pruned-N         a version on its way out

The kernel drops a flock when its holder dies, however it dies. So a staging directory whose lock can be taken
is garbage, and so is every .pruned-N as soon as .lock is held. The next publisher or pruner removes both.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

STAGING: Final = ".staging-"
PRUNED: Final = ".pruned-"


@contextmanager
def locked(model: Path) -> Iterator[None]:
    """Hold the lock of the model directory `model`, against other processes and other threads."""
    descriptor = os.open(model / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def staging(model: Path) -> Iterator[Path]:
    """Give an empty directory inside `model`, removed at the end with whatever was not renamed out of it."""
    with locked(model):
        sweep(model)
        # Made and locked under the model's lock: nobody sees it in the moment before it is held.
        holder = Path(tempfile.mkdtemp(prefix=STAGING, dir=model))
        descriptor = os.open(holder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        content = holder / "version"
        content.mkdir()
        yield content
    finally:
        try:
            with locked(model):
                shutil.rmtree(holder)
        finally:
            os.close(descriptor)


def sweep(model: Path) -> None:
    """Remove what killed publishers and pruners left; the caller holds the model's lock."""
    for path in model.iterdir():
        # What another user left is theirs to remove: it must not keep this one from publishing.
        with suppress(PermissionError):
            if path.name.startswith(PRUNED) or (path.name.startswith(STAGING) and not _held(path)):
                shutil.rmtree(path)


def _held(holder: Path) -> bool:
    try:
        descriptor = os.open(holder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
