"""PNGs that are written row by row say the same to every reader as those of Pillow."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from images.pictures import encoded, load, pixels, srgb_profile
from impasto.client import errors
from impasto.client.pictures import PngCompression, RowFile, RowSink, _deflate, _png_writing, encode_picture
from impasto.client.pictures._png_writing import PngWriter

MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


@pytest.fixture(params=["isal", "zlib"])
def packer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The packer of fast PNGs; without the package, as on machines that it is not built for."""
    if request.param == "zlib":
        monkeypatch.setattr(_deflate, "isal_zlib", lambda: None)
    elif _deflate.isal_zlib() is None:
        pytest.skip("isal is not installed here")
    return str(request.param)


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind and content; its checksum is right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position = 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        yield kind, content
        position += 12 + length


def decoded(data: bytes, length: int, step: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The rows of bytes, by the standard library's zlib and the formulas of the PNG specification, 9.2.

    zlib's own reader checks the Adler-32 of the whole."""
    stream = b"".join(content for kind, content in chunks(data) if kind == b"IDAT")
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(stream)
    assert unpacker.eof
    assert unpacker.unused_data == b""
    above, rows = [0] * length, []
    for start in range(0, len(raw), 1 + length):
        kind, row = raw[start], list(raw[start + 1 : start + 1 + length])
        for i in range(length):
            left, up, corner = (row[i - step], above[i], above[i - step]) if i >= step else (0, above[i], 0)
            nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        rows.append(row)
        above = row
    return np.array(rows, np.uint8)


def picture(kind: str, height: int, width: int, channels: int, dtype: Any) -> Any:
    """Noise, a ramp, or flat areas."""
    random = np.random.default_rng(height * width)
    top = np.iinfo(dtype).max
    if kind == "noise":
        values = random.integers(0, top, (height, width, channels), endpoint=True)
    elif kind == "ramp":
        across = np.arange(width)[:, np.newaxis] * 3 + np.arange(height)[:, np.newaxis, np.newaxis]
        values = across + np.arange(channels) * 50
    else:
        values = random.integers(0, 3, (1, width, channels)) * np.ones((height, 1, 1), np.int64) * (top // 2)
    return values.astype(dtype)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.sampled_from(["noise", "ramp", "flat"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([*MODES]),
    st.sampled_from([8, 16]),
    st.sampled_from(get_args(PngCompression)),
    st.integers(1, 700),
    st.integers(1, 40),
)
def test_rows_of_every_kind_and_size_come_back_whatever_the_bands_and_the_portions(
    packer: str,
    kind: str,
    size: tuple[int, int],
    mode: str,
    depth: int,
    compression: Any,
    band: int,
    portion: int,
) -> None:
    width, height = size
    rows = picture(kind, height, width, MODES[mode], np.dtype(f"uint{depth}"))
    if mode == "L" and portion % 2:
        rows = rows[:, :, 0]
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_png_writing, "_BAND", band)
        with PngWriter(file, size, mode, depth=depth, compression=compression) as png:
            png.write(rows[:0])
            for top in range(0, height, portion):
                written = rows[top : top + portion].copy()
                png.write(written)
                written[:] = 0  # what was written is the writer's own
    step = MODES[mode] * depth // 8
    expected = np.ascontiguousarray(rows.astype(f">u{depth // 8}")).view(np.uint8).reshape(height, -1)
    assert np.array_equal(decoded(file.getvalue(), width * step, step), expected)
    if depth == 8:  # Pillow keeps the high byte of others
        with Image.open(io.BytesIO(file.getvalue())) as image:
            assert image.mode == mode
            assert np.array_equal(np.asarray(image).reshape(rows.shape), rows)


def test_the_checksum_of_two_texts_is_joined_of_theirs() -> None:
    random = np.random.default_rng(0)
    texts = [random.integers(0, 256, size, np.uint8).tobytes() for size in (0, 1, 65_521, 200_000)]
    for one in texts:
        for two in texts:
            joined = _deflate.joined_checksum(zlib.adler32(one), zlib.adler32(two), len(two))
            assert joined == zlib.adler32(one + two)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_says_of_a_picture_what_pillows_says(mode: str) -> None:
    image = Image.fromarray(pixels(30, 20)).convert(mode)
    exif = Image.Exif()
    exif[315] = "IDAT and IEND"
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a picture", zip=True)
    text.add_itxt("Author", "Ada")
    metadata: dict[str, Any] = {
        "icc_profile": srgb_profile(),
        "dpi": (300, 200),
        "exif": exif.tobytes(),
        "pnginfo": text,
    }
    file = io.BytesIO()
    _png_writing.write_png(file, image, compression=None, metadata=metadata)
    ours, pillows = (
        [entry for entry in chunks(data) if entry[0] != b"IDAT"]
        for data in (file.getvalue(), encoded(image, **metadata))
    )
    assert ours == pillows
    assert {b"iCCP", b"pHYs", b"eXIf", b"zTXt", b"iTXt"} < {kind for kind, _ in ours}


@pytest.mark.parametrize("compression", get_args(PngCompression))
def test_bands_are_packed_by_threads_and_joined(packer: str, compression: Any) -> None:
    image = Image.fromarray(pixels(60, 80)).resize((1000, 800), Image.Resampling.BICUBIC)
    data = bytes(encode_picture(image, ".png", compress=compression))
    assert len([kind for kind, _ in chunks(data) if kind == b"IDAT"]) > 4
    with Image.open(io.BytesIO(data)) as read:
        assert np.array_equal(np.asarray(read), np.asarray(image))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((4, 5, 3), np.uint8), "4 of 6 rows were written"),
        (np.zeros((7, 5, 3), np.uint8), "row 7 of a picture of 6 rows"),
        (
            np.zeros((6, 4, 3), np.uint8),
            r"rows are \[6, 4, 3\]; the picture is 5 pixels wide, each of 3 bytes",
        ),
        (np.zeros((6, 5), np.uint8), "each of 3 bytes"),
        (np.zeros((6, 5, 3), np.uint16), r"rows are uint16 \[6, 5, 3\]; they must be uint8"),
    ],
)
def test_rows_that_are_not_the_pictures_are_refused_and_leave_no_file(
    tmp_path: Path, rows: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words), RowFile(tmp_path / "a.png") as file:
        file.begin((5, 6), "RGB", {})
        file.write(rows)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_rows_appears_when_it_is_complete_and_begins_again_when_asked(tmp_path: Path) -> None:
    path, rows = tmp_path / "a.png", pixels(700, 600)
    with RowFile(path, compress="fast") as file:
        sink: RowSink = file
        sink.begin((600, 700), "RGB", {})
        sink.write(255 - rows[:650])
        sink.begin((600, 700), "RGB", {"dpi": (300, 300)})
        for top in range(0, 700, 64):
            sink.write(rows[top : top + 64])
        assert [entry.suffix for entry in tmp_path.iterdir()] == [".part"]
    assert np.array_equal(np.asarray(load(path)), rows)
    assert load(path).info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    "error", [RuntimeError, OSError, FileExistsError, KeyboardInterrupt, errors.VersionGone]
)
def test_whatever_ends_the_work_half_way_is_raised_as_it_is_and_leaves_no_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error, match="half way"), RowFile(tmp_path / "a.png") as file:
        file.begin((600, 700), "RGB", {})
        file.write(pixels(650, 600))
        raise error("half way")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_when_work_is_given_up_does_not_hide_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half way"), RowFile(tmp_path / "a.png") as file:
        file.begin((5, 6), "RGB", {})
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), file._file.fileno())
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_only_a_png_is_written_in_rows_also_where_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "a.jpg")
    for name in ("a.jpg", "link.png"):
        with pytest.raises(errors.UnknownFormat, match=rf"{name}: no \.jpg is written row by row; use \.png"):
            RowFile(tmp_path / name)


def test_a_full_disk_is_told_in_words_and_leaves_no_file(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    file = RowFile(tmp_path / "a.png")
    with pytest.raises(errors.UnwritableOutput, match=r"a\.png: No space left on device"), file:
        file._file = Full()
        file.begin((5, 6), "RGB", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_rows_are_written_as_the_whole_picture_is(tmp_path: Path, mode: str, strip: bool) -> None:
    image = Image.fromarray(pixels(50, 40, 4)).convert(mode)
    image.info["dpi"] = (300, 300)
    if "RGB" in mode:
        image.info["icc_profile"] = srgb_profile()
    with RowFile(tmp_path / "a.png", strip=strip) as file:
        file.begin(image.size, mode, {str(key): value for key, value in image.info.items()})
        file.write(np.asarray(image)[:30])
        file.write(np.asarray(image)[30:])
    assert (tmp_path / "a.png").read_bytes() == bytes(encode_picture(image, ".png", strip=strip))


WRITE = """
import sys
from pathlib import Path
import numpy as np
from impasto.client.pictures import RowFile

rows = np.random.default_rng(0).integers(0, 256, (256, 2000, 3), np.uint8)

def peak(height):
    with RowFile(sys.argv[1], overwrite=True, compress="fast") as file:
        file.begin((2000, height), "RGB", {})
        for top in range(0, height, 256):
            file.write(rows[: min(256, height - top)])
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

small = peak(4000)
print(peak(12_000) - small)
"""


def test_a_larger_picture_takes_no_more_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 * 1024  # KiB, of 46 MiB more in pixels; noise takes as many in the file
