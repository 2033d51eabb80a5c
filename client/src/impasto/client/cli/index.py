"""The index of a folder of results, `.impasto.json`: what each result was made of, for `--resume`.

It is written aside and renamed, so it is complete or absent, whoever is killed when. Several runs may have one folder:
each adds its entries to what is there then. All that can be lost is an entry, and then a picture is done again.
What is read may come from anywhere, so an entry counts only if it looks exactly like one; none names a file to open.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from impasto.client.errors import UnwritableOutput
from impasto.client.pictures import write_bytes

NAME: Final = ".impasto.json"
_FORMAT: Final = 1
_MOST_BYTES: Final = 32 * 2**20
# An entry has three braces and takes some 300 bytes; a file with many more is none of ours and would take much memory.
_BYTES_A_BRACE: Final = 16
_SHA256: Final = re.compile("[0-9a-f]{64}")
_LARGEST: Final = 2**63 - 1

_LOCK_SECONDS: Final = 5.0
_LOCK_PAUSE: Final = 0.01
_SHARE: Final = 20
"""Writing takes at most one of so many seconds: that of a very large index is not repeated for each result."""


@dataclass(frozen=True)
class Fingerprint:
    """A file's content: its size in bytes and the SHA-256 of them."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """The makings of one result.

    Attributes:
        input: the picture's file.
        options: a digest of all options that the result depends on.
        model: its name.
        version: the version that was asked; 0 if the server did not say.
        result: the file as it was written.
    """

    input: Fingerprint
    options: str
    model: str
    version: int
    result: Fingerprint


class UnusableIndex(ValueError):  # noqa: N818 - says what is wrong, as the client's errors do
    """There is a file with the index's name which is none; the message says why."""


def read_index(path: Path) -> dict[str, Entry]:
    """Read an index: entries by the results' paths in its folder, with `/` between parts. Of no file it is empty.

    Raises:
        UnusableIndex: it is not a regular file, too large, damaged, or no index.
    """
    try:
        data = _content(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnusableIndex(error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise UnusableIndex("it is too large")
    if (data.count(b"{") + data.count(b"[")) * _BYTES_A_BRACE > len(data) + 4096:
        raise UnusableIndex("it is damaged")
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError, too
        raise UnusableIndex("it is damaged") from error
    if not isinstance(value, dict) or cast(dict[str, Any], value).get("impasto") != _FORMAT:
        raise UnusableIndex("it is of another program or version")
    results = cast(dict[str, Any], value).get("results")
    if not isinstance(results, dict):
        raise UnusableIndex("it is damaged")
    entries = {name: _entry(entry) for name, entry in cast(dict[str, Any], results).items()}
    return {name: entry for name, entry in entries.items() if entry is not None}


class Index:
    """The entries that a run adds to an index. Several threads may add some.

    Args:
        folder: of the results; it exists by the time that an entry is added.
    """

    def __init__(self, folder: Path) -> None:
        self.path: Path = folder / NAME
        self._new: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._due = 0.0

    def add(self, name: str, entry: Entry) -> None:
        """Add what made the result of this name; it is written at once if the index is small.

        Raises:
            OutputError, OSError: the index cannot be written.
        """
        with self._lock:
            self._new[name] = entry
            if time.monotonic() >= self._due:
                self._write()

    def close(self) -> None:
        """Write the entries that wait. Raises OutputError, OSError."""
        with self._lock:
            if self._new:
                self._write()

    def _write(self) -> None:
        started = time.monotonic()
        with _locked(self.path.parent):
            there: dict[str, Entry] = {}
            with contextlib.suppress(UnusableIndex):
                there = read_index(self.path)
            results = dict(sorted({**there, **self._new}.items()))
            text = json.dumps(
                {"impasto": _FORMAT, "results": results}, separators=(",", ":"), default=vars, allow_nan=False
            )
            if len(text) > _MOST_BYTES:
                raise UnwritableOutput(f"cannot write {self.path}: it has no room for so many results")
            if self.path.is_symlink():
                self.path.unlink()  # else what it points to would be replaced
            write_bytes(self.path, text.encode(), overwrite=True)
        self._new.clear()
        ended = time.monotonic()
        self._due = ended + _SHARE * (ended - started)


def _content(path: Path) -> bytes:
    """Return the file's bytes, or more than may be. Raises OSError, UnusableIndex where it is no regular file."""
    # Neither a link, which anyone may have put there, nor a pipe, which nobody may write to.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    if path.is_symlink():
        raise UnusableIndex("it is a link")
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnusableIndex("it is not a regular file")
        return file.read(_MOST_BYTES + 1)


def _entry(value: Any) -> Entry | None:
    """Return the entry that a value stands for; None if it is none."""
    if not isinstance(value, dict) or cast(dict[str, Any], value).keys() != Entry.__annotations__.keys():
        return None
    fields = cast(dict[str, Any], value)
    source, result = _fingerprint(fields["input"]), _fingerprint(fields["result"])
    is_sound = (
        _is_sha256(fields["options"]) and isinstance(fields["model"], str) and _is_count(fields["version"])
    )
    if source is None or result is None or not is_sound:
        return None
    return Entry(source, fields["options"], fields["model"], fields["version"], result)


def _fingerprint(value: Any) -> Fingerprint | None:
    if not isinstance(value, dict) or cast(dict[str, Any], value).keys() != {"bytes", "sha256"}:
        return None
    fields = cast(dict[str, Any], value)
    if _is_count(fields["bytes"]) and _is_sha256(fields["sha256"]):
        return Fingerprint(fields["bytes"], fields["sha256"])
    return None


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None, None, None]:
    """Keep other runs from writing the index of a folder meanwhile, as far as the system can lock a folder.

    Without the lock two runs that write at the same moment may lose entries of one.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows
        yield
        return
    try:
        until = time.monotonic() + _LOCK_SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except (
                BlockingIOError
            ):  # a run that is stopped, or another program's lock, is not waited for for ever
                time.sleep(_LOCK_PAUSE)
            except OSError:  # a file system without locks
                break
        yield
    finally:
        os.close(descriptor)
