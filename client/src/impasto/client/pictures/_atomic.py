"""Write files so that each is complete or absent, whatever is killed when."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Final

from impasto.client.errors import OutputExists, UnwritableOutput

# Some network and user-space file systems have no fsync for folders, and say so in one of these ways.
_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


_PRIVATE: Final = 0o600
_AS_THE_UMASK_SAYS: Final = 0o666


def write_bytes(
    path: str | os.PathLike[str],
    data: bytes | bytearray | memoryview,
    *,
    overwrite: bool = False,
    private: bool = False,
) -> None:
    """Write a file aside, flush it to the disk and rename it: it appears complete or not at all.

    Args:
        path: the file.
        data: its content.
        overwrite: as for `written_aside`.
        private: as for `written_aside`.

    Raises:
        OutputError: as `written_aside`.
    """
    with written_aside(path, overwrite=overwrite, private=private) as file:
        file.write(data)


@contextlib.contextmanager
def written_aside(
    path: str | os.PathLike[str], *, overwrite: bool = False, private: bool = False
) -> Generator[BinaryIO, None, None]:
    """Open a file aside to write to; at the end flush it to the disk and rename it, unless an exception ends it.

    A file that is replaced keeps its mode and, where this user may give files away, its owner and group. A symbolic
    link is followed: the file that it leads to is written. What a killed process can leave is a hidden file
    `.impasto-<random>.part` beside the target, never the target itself, and never readable by more users.

    Args:
        path: the file.
        overwrite: replace the file if it exists.
        private: a new file is readable by this user only, rather than by those that the umask allows.

    Raises:
        OutputError: OutputExists (checked again at the last moment, atomically) or UnwritableOutput.
    """
    target = resolved(path)
    # Without the target's name, which may be as long as the system allows.
    aside = target.with_name(f".impasto-{os.urandom(8).hex()}.part")
    with _told(path):
        present = replaceable(target) if overwrite else None
        with _synced(aside, replaced=present, private=private) as file:
            yield file
        _move(aside, target, overwrite=overwrite)


def moved_into_place(aside: Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Flush a finished file to the disk and rename it, as `written_aside` does with the one that it wrote.

    Args:
        aside: the file, in the target's file system. It is gone afterwards, also if this fails.
        path: the target.
        overwrite: as for `written_aside`.

    Raises:
        OutputError: as `written_aside`.
    """
    target = resolved(path)
    with _told(path):
        try:
            present = replaceable(target) if overwrite else None
            with aside.open("rb+") as file:
                _settle(file, present)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _move(aside, target, overwrite=overwrite)


@contextlib.contextmanager
def _told(path: str | os.PathLike[str]) -> Generator[None, None, None]:
    """Turn what the system says into errors that name the file."""
    try:
        yield
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


def replaceable(target: Path) -> os.stat_result | None:
    """The facts of the file that is to be replaced; None for no file. Raises OSError for what is no plain file."""
    try:
        present = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(present.st_mode) or stat.S_ISDIR(present.st_mode):  # the rename refuses a folder
        return present
    raise OSError(
        errno.EINVAL, "it is a device, a pipe or a socket, which a file would replace; name another"
    )


def give_rights(descriptor: int, present: os.stat_result) -> None:
    """Give an open file the owner, the group and the mode of the file that it will replace.

    Raises:
        OSError: this user may not give it to that owner or group. It has the mode all the same, less what the old
            group could do and others could not.
    """
    mode = stat.S_IMODE(present.st_mode) & 0o777
    own = os.fstat(descriptor)
    try:
        if own.st_gid != present.st_gid:
            os.fchown(descriptor, -1, present.st_gid)
    except OSError:
        os.fchmod(descriptor, mode & ~0o070 | (mode & 0o070 & (mode & 0o007) << 3))
        raise
    os.fchmod(descriptor, mode)
    if own.st_uid != present.st_uid:
        os.fchown(descriptor, present.st_uid, -1)


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


@contextlib.contextmanager
def _synced(path: Path, *, replaced: os.stat_result | None, private: bool) -> Generator[BinaryIO, None, None]:
    mode = _AS_THE_UMASK_SAYS if replaced is None and not private else _PRIVATE
    try:
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            _settle(file, replaced)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _settle(file: BinaryIO, replaced: os.stat_result | None) -> None:
    """Give a file aside the rights of the one that it will replace, and flush it to the disk."""
    file.flush()
    if replaced is not None and hasattr(os, "fchown"):  # Windows has neither owners nor modes
        with contextlib.suppress(OSError):  # the file is this user's then
            give_rights(file.fileno(), replaced)
    os.fsync(file.fileno())


def _move(aside: Path, target: Path, *, overwrite: bool) -> None:
    """Rename a file aside; it is gone afterwards, also if this fails."""
    try:
        _rename(aside, target, overwrite=overwrite)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(target.parent)


def _rename(aside: Path, target: Path, *, overwrite: bool) -> None:
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
