"""The lock of a models.config: one rollout at a time, from reading the file to the end.

The lock is the system's (flock), so it ends with its process, however that dies. The file `.models.config.lock`, beside
the configuration, stays; it names the holder of the lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from impasto.serving.errors import ConfigError, reason

_POLL_SECONDS: Final = 0.2
_LONGEST_NOTE: Final = 1000


@contextlib.contextmanager
def rollout_lock(path: Path, *, what: str, timeout: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a configuration file during a block, once nobody else holds it.

    If the folder is read-only and nobody has ever made a lock in it, the file cannot be changed either, so no lock is
    needed.

    Args:
        path: the file; if it is a symbolic link, the lock is beside the file that the link leads to.
        what: the rollout in words, for other processes that wait.
        timeout: the seconds to wait for another process.
        say: prints the process that this one waits for.

    Raises:
        ConfigError: another process holds the lock for too long, or the lock cannot be made.
    """
    descriptor = _acquired(path, timeout=timeout, say=say)
    if descriptor is None:
        yield
        return
    try:
        _note(descriptor, what)
        yield
    finally:
        _note(descriptor, "")
        os.close(descriptor)


def _acquired(path: Path, *, timeout: float, say: Callable[[str], None]) -> int | None:
    deadline = time.monotonic() + timeout
    told = False
    while True:
        try:
            lock = _lock_file(path)
            descriptor = _opened(lock)
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"{path} cannot be locked: {reason(error)}") from error
        if descriptor is None:
            return None
        if _locked(descriptor) and _is_at(descriptor, lock):
            return descriptor
        holder = _holder(descriptor)
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"{path} is still being changed by {holder}; nothing was done here after "
                f"{timeout:g} seconds of waiting. Try again when that has ended"
            )
        if not told:
            say(f"{path} is being changed by {holder}; waiting for it to end.")
            told = True
        time.sleep(_POLL_SECONDS)


def _lock_file(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f".{real.name}.lock")


def _opened(lock: Path) -> int | None:
    """Open the lock file; return None if there is none and none can be made."""
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    try:
        return os.open(lock, os.O_RDONLY | os.O_NOFOLLOW)  # another user's; that is enough to lock it
    except FileNotFoundError:
        return None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, lock: Path) -> bool:
    """Return True if the locked file is still the one that others find: somebody may have deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _note(descriptor: int, what: str) -> None:
    """Write the holder into the lock file; the lock is held even if this user may not write the file."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    note = (
        f"process {os.getpid()} on {socket.gethostname()} (impasto-serving {what}), since {since}"
        if what
        else ""
    )
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)


def _holder(descriptor: int) -> str:
    note = os.pread(descriptor, _LONGEST_NOTE, 0).decode(errors="replace")
    return "".join(filter(str.isprintable, note)) or "another process, which has not given its name"
