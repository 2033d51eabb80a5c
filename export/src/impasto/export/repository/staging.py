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

from impasto.export.repository.errors import RepositoryError

STAGING: Final = ".staging-"
PRUNED: Final = ".pruned-"


@contextmanager
def locked(model: Path) -> Iterator[None]:
    """Hold the lock of the model directory `model`, against other processes and other threads."""
    path = model / ".lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            raise RepositoryError(f"{path} must be a file of its own: remove it, it is made again") from error
        raise
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
                remove(holder)
        finally:
            os.close(descriptor)


def sweep(model: Path) -> None:
    """Remove what killed publishers and pruners left; the caller holds the model's lock.

    What cannot be removed stays: it must not keep anyone from publishing.
    """
    for path in list(model.iterdir()):
        with suppress(OSError):
            if path.name.startswith(PRUNED) or (path.name.startswith(STAGING) and not _held(path)):
                remove(path)


def remove(path: Path) -> None:
    """Remove a directory with all that it holds, a file, or a link; what a link points to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _held(holder: Path) -> bool:
    if holder.is_symlink():
        return False
    try:
        descriptor = os.open(holder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
