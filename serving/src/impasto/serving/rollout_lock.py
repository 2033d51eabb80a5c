"""One rollout at a time for a models.config: a lock beside the file, from reading it to the end.

The lock is the system's (flock), so it ends with the process that holds it, however that dies. The file
`.models.config.lock` stays; it says who holds the lock.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from impasto.serving.errors import ConfigError

_POLL_SECONDS: Final = 0.2
_LONGEST_NOTE: Final = 1000


@contextlib.contextmanager
def rollout_lock(path: Path, *, what: str, timeout: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a configuration file, once nobody else does.

    Where the folder can only be read and nobody has ever made a lock there, nothing can be changed there either, and
    there is nothing to wait for.

    Args:
        path: the file; its lock lies beside the file that a symbolic link leads to.
        what: what is being done, for those who wait.
        timeout: how many seconds to wait for another process.
        say: is told whom this one waits for.

    Raises:
        ConfigError: another process holds it for too long, or the lock cannot be made.
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
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{path} cannot be locked: {reason}") from error
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
    """The open lock file; None where there is none and none can be made."""
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
    """Return whether the locked file is still the one that others find: somebody may have deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _note(descriptor: int, what: str) -> None:
    """Write who holds the lock; it is held all the same where this user may not write the file."""
    since = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
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
    return "".join(filter(str.isprintable, note)) or "another process, which has not said which it is"
