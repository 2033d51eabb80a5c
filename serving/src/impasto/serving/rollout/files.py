"""The files of servers, replaced so that a reader never sees half of one, and somebody else's edit is not lost.

The new content goes to a temporary file, `.<name>.<random>.part`, which is flushed and renamed. A symbolic link is
followed: the file that it points to is replaced. A living writer holds a lock on its temporary file; the next writer
deletes those of killed ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client.pictures import give_rights, replaceable, sync_folder
from impasto.serving.errors import ConfigError, FileChangedError, StatusError, reason
from impasto.serving.model_config import validate
from impasto.serving.text_files import parse_text, read_bytes, text_of

COMMENT: Final = "Written by impasto-serving config; promote and rollback write it anew."

_PRIVATE: Final = 0o600
_READABLE: Final = 0o644
"""For everyone: the server in its container is another user."""

_TEMPORARY: Final = re.compile(r"\..+\.[a-z0-9_]{8}\.part")


class EditedConfig:
    """A models.config that a rollout read and rewrites step by step.

    Editors do not respect locks, so each write first compares the file with what was last read or written here.

    Args:
        path: the file.

    Raises:
        ConfigError: the file cannot be read, or no server would accept its content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._original = read_bytes(path)
        self.config = parse_text(self._original, config_pb2.ModelServerConfig(), where=path)
        """The configuration that was read."""
        try:
            validate(self.config)
        except StatusError as error:
            raise ConfigError(f"{path}: {error.message}") from error
        self._held = {self._original}

    @property
    def is_touched(self) -> bool:
        """True once a write has begun."""
        return self._held != {self._original}

    def write(self, config: config_pb2.ModelServerConfig) -> None:
        """Replace the file's content.

        Raises:
            FileChangedError: somebody else has changed the file; it is left as it is.
            ConfigError: the file cannot be written.
        """
        content = text_of(config, comment=COMMENT)
        expected = set(self._held)
        self._held.add(content)  # a signal may arrive between the rename and the next line
        replace_file(self.path, content, expected=expected)
        self._held = {content}

    def restore(self) -> None:
        """Give the file the bytes back that were read, comments included.

        Raises:
            FileChangedError: somebody else has changed the file; it is left as it is.
            ConfigError: the file cannot be written.
        """
        if read_if_there(self.path) != self._original:
            replace_file(self.path, self._original, expected={*self._held})


def replace_file(
    path: Path, content: bytes, *, private: bool = False, expected: Collection[bytes | None] | None = None
) -> None:
    """Write `content` to `path`, completely or not at all.

    Args:
        path: the file. An existing one keeps its owner, group and mode.
        content: the bytes to write.
        private: a new file is readable by this user only, rather than by everybody.
        expected: the contents that the file may have right before the rename (None stands for no file); by default
            any.

    Raises:
        FileChangedError: the file has another content.
        ConfigError: the file cannot be written, or cannot keep its owner.
    """
    try:
        target = path.resolve()
        sweep(target.parent)
        descriptor, temporary = _open_temporary(target)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                _give_rights(descriptor, target, private=private)
                os.fsync(descriptor)
                if expected is not None and read_if_there(target) not in expected:
                    raise FileChangedError(f"{path} has been changed by somebody else since it was read")
                temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path} cannot be written: {reason(error)}") from error


def read_if_there(path: Path) -> bytes | None:
    """Return the content of a file, or None if there is no file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {reason(error)}") from error


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed writers have left in a folder; they may hold keys."""
    for leftover in folder.iterdir():
        if not _TEMPORARY.fullmatch(leftover.name):
            continue
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            descriptor = os.open(leftover, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftover.unlink()
            finally:
                os.close(descriptor)


def _open_temporary(target: Path) -> tuple[int, Path]:
    """Open a new file beside the target, locked as long as the descriptor is open."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # swept by another writer before it was locked


def _give_rights(descriptor: int, target: Path, *, private: bool) -> None:
    """Give the open file the owner, group and mode of the file that it will replace, or those of a new one."""
    present = replaceable(target)
    if present is None:
        os.fchmod(descriptor, _PRIVATE if private else _READABLE)
        return
    try:
        give_rights(descriptor, present)
    except PermissionError as error:
        raise ConfigError(
            f"{target} belongs to user {present.st_uid} and group {present.st_gid}, and this user may not give "
            "them a file: run the command as that user or as root"
        ) from error
