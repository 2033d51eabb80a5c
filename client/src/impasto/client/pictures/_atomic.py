"""Write files so that each is complete or absent, whatever is killed when."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import Final

from impasto.client.errors import OutputExists, UnwritableOutput

# Some network and user-space file systems have no fsync for folders, and say so in one of these ways.
_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def write_bytes(
    path: str | os.PathLike[str], data: bytes | bytearray | memoryview, *, overwrite: bool = False
) -> None:
    """Write a file aside, flush it to the disk and rename it: it appears complete or not at all.

    What a killed process can leave is a hidden file `.impasto-<random>.part` beside the target, never the
    target itself.

    Raises:
        OutputError: OutputExists (checked again at the last moment, atomically) or UnwritableOutput.
    """
    target = resolved(path)
    # Without the target's name, which may be as long as the system allows.
    aside = target.with_name(f".impasto-{secrets.token_hex(8)}.part")
    try:
        _write_synced(aside, data)
        try:
            _move(aside, target, overwrite=overwrite)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(target.parent)
    except FileExistsError as error:
        raise OutputExists(f"{path} exists and may not be replaced without overwrite") from error
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error


def resolved(path: str | os.PathLike[str]) -> Path:
    """The path with symbolic links followed; UnwritableOutput if they go in a circle."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # a loop of symbolic links; RuntimeError before Python 3.13
        raise UnwritableOutput(f"cannot write {Path(path)}: {error}") from error


def sync_folder(folder: Path) -> None:
    """Make a rename itself durable, where the system can open a folder (Windows cannot) and the file system can flush
    one."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


def _write_synced(path: Path, data: bytes | bytearray | memoryview) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _move(aside: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        aside.replace(target)
        return
    try:
        os.link(aside, target)  # unlike a rename, it fails if the target has appeared meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: check, then rename
        if target.exists():
            raise FileExistsError(str(target)) from None
        aside.replace(target)
