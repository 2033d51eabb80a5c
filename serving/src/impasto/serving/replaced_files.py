"""Replacing a file so that a reader never sees half of it, and its owner, group and mode stay.

The new content is written aside, as `.<name>.<random>.part`, flushed and renamed. A symbolic link is followed: the
file that it points to is replaced. What a killed writer leaves aside is swept by the next one; a writer that is alive
holds a lock on its aside.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from impasto.serving.errors import ConfigError

_PRIVATE: Final = 0o600
_READABLE: Final = 0o644
"""For everyone: the server in its container is another user."""

_ASIDE: Final = re.compile(r"\..+\.[a-z0-9_]{8}\.part")


class FileChangedError(ConfigError):
    """A file is not what it was when it was read: somebody else has written it since."""


def replace_file(
    path: Path, content: bytes, *, private: bool = False, expected: Collection[bytes | None] | None = None
) -> None:
    """Write `content` to `path`: complete, or not at all.

    Args:
        path: the file. One that is there keeps its owner, group and mode.
        content: the bytes to write.
        private: a new file is readable by this user only, rather than by everybody.
        expected: what the file may hold now, None for no file, looked at right before the rename; anything if
            not given.

    Raises:
        FileChangedError: the file holds something else.
        ConfigError: it cannot be written, or not with the rights that it has.
    """
    try:
        target = path.resolve()
        sweep(target.parent)
        descriptor, aside = _open_aside(target)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                _give_rights(descriptor, target, private=private)
                os.fsync(descriptor)
                if expected is not None and read_if_there(target) not in expected:
                    raise FileChangedError(f"{path} has been changed by somebody else since it was read")
                aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path} cannot be written: {reason}") from error


def read_if_there(path: Path) -> bytes | None:
    """The bytes of a file; None if there is none. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def sweep(folder: Path) -> None:
    """Delete what killed writers have left in a folder; it may hold keys."""
    for leftover in folder.iterdir():
        if not _ASIDE.fullmatch(leftover.name):
            continue
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            descriptor = os.open(leftover, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)


def _open_aside(target: Path) -> tuple[int, Path]:
    """A new file beside the target, locked for as long as the descriptor is open."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # swept by another writer before it was locked


def _give_rights(descriptor: int, target: Path, *, private: bool) -> None:
    """Give the open file the owner, group and mode of the one that it will replace, or those of a new one."""
    try:
        present = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, _PRIVATE if private else _READABLE)
        return
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (present.st_uid, present.st_gid):
        try:
            os.fchown(descriptor, present.st_uid, present.st_gid)
        except PermissionError as error:
            raise ConfigError(
                f"{target} belongs to user {present.st_uid} and group {present.st_gid}, and this user may not give "
                "them a file: run the command as that user or as root"
            ) from error
    os.fchmod(descriptor, stat.S_IMODE(present.st_mode))


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
