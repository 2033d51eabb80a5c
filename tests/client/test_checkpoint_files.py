"""Checkpoint files: whose they are, and what is read of those that somebody else made."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError, UnwritableOutput
from processes import mutated_checkpoints
from processes.scripts import run_script

MEBIBYTE = 2**20
ARRAYS: dict[str, NDArray[Any]] = {
    "pixels": np.linspace(0, 1, 60, dtype=np.float32).reshape(4, 5, 3),
    "moments": np.zeros((0, 3), np.float32),
    "turned": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    "number": np.array(7, np.int64),
}
HEADER: dict[str, Any] = {"format": 1, "job": {"kind": "dream"}, "position": {"stage": 0, "step": 3}}


def write(path: Path) -> None:
    CheckpointFile(path).offer(Snapshot(HEADER["job"], HEADER["position"], ARRAYS))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="is no checkpoint, or damaged; delete it to begin anew"
    ) as raised:
        CheckpointFile(path).read()
    assert str(path) in str(raised.value)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def members(**changes: Any) -> dict[str, bytes]:
    """The members of a good archive, with a header that is changed."""
    header = json.dumps(HEADER | changes).encode()
    return {"header.npy": npy(np.frombuffer(header, np.uint8)), "pixels.npy": npy(ARRAYS["pixels"])}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint")
    found = CheckpointFile(tmp_path / "checkpoint").read()
    assert found is not None
    assert (found.job, found.position) == (HEADER["job"], HEADER["position"])
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
    assert CheckpointFile(tmp_path / "none").read() is None


def test_a_new_checkpoint_is_for_its_user_only_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    before = os.umask(0)
    try:
        write(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    path.chmod(0o640)
    write(path)
    assert mode(path) == 0o640
    (tmp_path / "link").symlink_to(path)
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert mode(path) == 0o640


def test_a_checkpoint_takes_the_place_of_no_device_and_is_read_from_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe")  # and nobody waits for a writer
    refused(Path("/dev/zero"))
    for place in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(
            UnwritableOutput, match="a device, a pipe or a socket, which a file would replace"
        ):
            write(place)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(IsADirectoryError):
        CheckpointFile(tmp_path).read()


def claiming(shape: str, data: bytes = b"", dtype: str = "<f4") -> bytes:
    """An array's file whose header says what it says, whatever the data."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


BAD_MEMBERS: dict[str, dict[str, bytes]] = {
    "a shape beyond the data": {"a.npy": claiming("(1000000, 1000000)")},
    "sizes whose product is none": {"a.npy": claiming(f"({2**62}, 4, 4)")},
    "many dimensions": {"a.npy": claiming(f"({'1, ' * 900})", bytes(4))},
    "a long number": {"a.npy": claiming(f"({'9' * 30000},)")},
    "objects": {"a.npy": claiming("(1,)", bytes(8), "|O")},
    "pickled objects": {"a.npy": npy(np.array([{}], object))},
    "text": {"a.npy": npy(np.array(["abc"]))},
    "a record": {"a.npy": npy(np.zeros(2, [("x", "<f4")]))},
    "an expression": {"a.npy": claiming("(1,)").replace(b"False", b"1if1else 0")},
    "format 3": {"a.npy": claiming("(1,)", bytes(4)).replace(b"\x01\x00", b"\x03\x00", 1)},
    "data after the end": {"a.npy": claiming("(1,)", bytes(5))},
    "a name elsewhere": {"../a.npy": npy(ARRAYS["pixels"])},
    "an absolute name": {"/etc/a.npy": npy(ARRAYS["pixels"])},
    "another file": {"a.txt": b"hello"},
    "no array": {"a.npy": b""},
    "many arrays": {f"a{number}.npy": npy(np.zeros(1)) for number in range(100)},
}


@pytest.mark.parametrize("bad", BAD_MEMBERS.values(), ids=BAD_MEMBERS)
def test_an_array_that_no_checkpoint_has_is_refused(tmp_path: Path, bad: dict[str, bytes]) -> None:
    archive(tmp_path / "checkpoint", members() | bad)
    refused(tmp_path / "checkpoint")


@pytest.mark.parametrize(
    "changes",
    [
        {"job": {"steps": float("nan")}},
        {"job": {"steps": float("-inf")}},
        {"job": json.loads("[" * 50 + "]" * 50)},
        {"job": {"a": json.loads('{"a":' * 200 + "1" + "}" * 200)}},
        {"job": {"long": "x" * 2 * MEBIBYTE}},
        {"job": 1},
        {"position": None},
    ],
    ids=["NaN", "infinity", "deep list", "deep mapping", "long", "no mapping", "null"],
)
def test_a_header_that_no_checkpoint_has_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    archive(tmp_path / "checkpoint", members(**changes))
    refused(tmp_path / "checkpoint")


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = members() | {"pixels.npy": npy(np.zeros((1000, 1000, 3), np.float32))}
    archive(tmp_path / "checkpoint", bomb, compression=zipfile.ZIP_DEFLATED)
    assert (tmp_path / "checkpoint").stat().st_size < 20_000
    refused(tmp_path / "checkpoint")


def overlapping() -> bytes:
    """An archive of many entries with the same bytes, as the bombs that need no compression have."""
    content = npy(np.zeros(MEBIBYTE, np.uint8))
    local = b"PK\x03\x04" + bytes(10) + zlib.crc32(content).to_bytes(4, "little")
    local += len(content).to_bytes(4, "little") * 2 + b"\x05\x00\x00\x00" + b"a.npy"
    central = b"".join(
        b"PK\x01\x02" + bytes(2) + local[4:26] + b"\x06\x00" + bytes(16) + f"{number:02}.npy".encode()
        for number in range(60)
    )
    end = b"PK\x05\x06" + bytes(4) + b"\x3c\x00" * 2 + len(central).to_bytes(4, "little")
    end += (len(local) + len(content)).to_bytes(4, "little") + bytes(2)
    return local + content + central + end


def long_listing() -> bytes:
    """An archive whose listing is all there is of it: zipfile makes objects of it, 20 times as large."""
    entry = b"PK\x01\x02" + bytes(42)
    count = 60_000
    end = b"PK\x05\x06" + bytes(4) + (count % 65536).to_bytes(2, "little") * 2
    return entry * count + end + (len(entry) * count).to_bytes(4, "little") + bytes(6)


@pytest.mark.parametrize(
    ("made", "reason"), [(overlapping, "more bytes than the file"), (long_listing, "bytes at once are more")]
)
def test_sizes_that_the_file_only_claims_are_refused(
    tmp_path: Path, made: Callable[[], bytes], reason: str
) -> None:
    (tmp_path / "checkpoint").write_bytes(made())
    with pytest.raises(CheckpointError, match="is no checkpoint") as raised:
        CheckpointFile(tmp_path / "checkpoint").read()
    assert reason in str(raised.value.__cause__)


def test_thousands_of_mutated_checkpoints_raise_nothing_else_and_take_no_memory(tmp_path: Path) -> None:
    write(tmp_path / "checkpoint")
    done = run_script(mutated_checkpoints, tmp_path / "checkpoint", "3000", "20251")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["others"] == []
    assert report["refused"] + report["read"] == 3000
    assert report["refused"] > 1000
    assert report["peak"] < 16 * MEBIBYTE
