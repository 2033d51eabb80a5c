"""Files that every viewer shows are read, whatever stands beside their pixels; a refusal is told in plain words."""

from __future__ import annotations

import functools
import io
import random
import re
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from floods.mutations import damaged
from images.made_png import COLOUR, chunk, png
from images.picture_files import written_files
from images.pictures import bomb, encoded, pixels
from impasto.client import PictureWarning, errors, read_picture

XMP = b"XML:com.adobe.xmp\0"


@functools.cache
def long_texts() -> dict[str, bytes]:
    text = b"a long text " * 400_000
    return {
        "XMP": chunk(b"iTXt", XMP + b"\x01\0\0\0" + zlib.compress(text)),
        "XMP as it is": chunk(b"iTXt", XMP + b"\0\0\0\0" + text),
        "comment": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text)),
        "plain": chunk(b"tEXt", b"Comment\0" + text),
        "broken": chunk(b"zTXt", b"Comment\0\0" + b"no zlib data"),
        "no end": chunk(b"tEXt", b"Comment"),
        "two megabytes many times": b"".join(
            chunk(b"zTXt", b"C\0\0" + zlib.compress(bytes(900_000))) for _ in range(90)
        ),
    }


@pytest.mark.parametrize("name", long_texts())
@pytest.mark.parametrize("behind", [False, True])
def test_texts_of_any_length_do_not_stop_a_png(name: str, behind: bool) -> None:
    text = long_texts()[name]
    data = png(pixels(), 8, COLOUR, *(() if behind else (text,)), after=(text,) if behind else ())
    picture = read_picture(data)
    assert np.array_equal(picture.rgb, pixels())
    assert picture.notes == ()


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"pHYs", b"eXIf", b"tIME", b"prVt"]
)
@pytest.mark.parametrize("behind", [False, True])
def test_a_wrong_checksum_beside_the_picture_is_said_and_the_picture_read(kind: bytes, behind: bool) -> None:
    wrong = chunk(kind, b"whatever it says", checksum=1)
    data = png(pixels(), 8, COLOUR, *(() if behind else (wrong,)), after=(wrong,) if behind else ())
    with pytest.warns(PictureWarning, match=f"checksum of its {kind.decode()} data is wrong"):
        picture = read_picture(data)
    assert np.array_equal(picture.rgb, pixels())


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, 300))
def test_a_png_that_ends_behind_its_pixels_is_read(cut: int) -> None:
    text = chunk(b"tEXt", b"Comment\0" + b"x" * 280)
    data = png(pixels(), 8, COLOUR, after=(text,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        assert np.array_equal(read_picture(data[: len(data) - cut]).rgb, pixels())


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_that_ends_behind_its_pixels_is_read(lossless: bool) -> None:
    exif = Image.Exif()
    exif[0x8298] = "somebody"
    data = encoded(Image.fromarray(pixels()), "WEBP", exif=exif, xmp=b"<x/>" * 50, lossless=lossless)
    whole = read_picture(data).rgb
    metadata = data.index(b"EXIF")
    for end in range(metadata + 1, len(data), 7):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert np.array_equal(read_picture(data[:end]).rgb, whole)
        assert "ends early behind the pixels" in str(said[0].message)
    for end in range(60, metadata, 40):
        with pytest.raises(errors.TruncatedImage):
            read_picture(data[:end])


def test_a_webp_that_claims_many_pixels_is_refused_before_its_decoder_reserves_them() -> None:
    sides = (16_383).to_bytes(3, "little") * 2
    claim = (
        b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides + b"VP8 " + struct.pack("<I", 10) + bytes(10)
    )
    data = b"RIFF" + struct.pack("<I", 4 + len(claim)) + b"WEBP" + claim
    with pytest.raises(errors.ImageTooLarge, match="16384 x 16384"):
        read_picture(data)


def test_a_jpeg_without_its_end_mark_is_read_and_one_without_pixels_is_not() -> None:
    data = encoded(Image.fromarray(pixels(64, 80)), "JPEG")
    whole = read_picture(data).rgb
    with pytest.warns(PictureWarning, match="without its end mark"):
        assert np.array_equal(read_picture(data[:-2]).rgb, whole)
    for end in range(10, len(data) // 2, 40):
        with pytest.raises(errors.TruncatedImage, match="it ends before its pixels do"):
            read_picture(data[:-end])


def test_an_entry_for_maker_notes_or_trailing_bytes_do_not_stop_a_picture() -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        data = encoded(Image.fromarray(pixels()), kind)
        assert read_picture(data + b"trailing " * 100).rgb.shape == (12, 17, 3)


PYTHON_WORDS = re.compile(
    r"Error|object at 0x|NoneType|<_io|PIL|Traceback|\bbuffer\b|unpack|struct|attribute|tuple"
)


def test_what_is_refused_is_told_without_python_names() -> None:
    rng = random.Random(3)
    seen = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        for _, data in list(written_files())[::3]:
            for broken in (data[: rng.randrange(len(data))], damaged(data, rng)):
                try:
                    read_picture(broken)
                except errors.ImageError as error:
                    seen += 1
                    assert not PYTHON_WORDS.search(str(error)), error
                    assert str(error).startswith("the image ")
    assert seen > 80


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(50), "heif-convert"),
        ("photo.jpg", b"\0\0\0\x18ftypheic" + bytes(50), "it is a HEIF picture; convert it"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "render it to PNG"),
        ("photo.png", b"<?xml version='1.0'?><svg/>", "it is an SVG drawing"),
        ("a.cr3", b"\0\0\0\x18ftypcrx " + bytes(50), "raw converter"),
        ("a.pdf", b"%PDF-1.7 ", "it is a PDF document"),
        ("a.jxl", b"\xff\x0a" + bytes(50), "djxl"),
    ],
)
def test_a_picture_that_is_not_read_here_says_what_to_do(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(errors.NotAnImage, match=words):
        read_picture(tmp_path / name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM"])
def test_max_pixels_means_what_it_says_above_pillows_own_limit(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if Pillow's limit were 20 pixels: it refuses more than twice that.
    data = encoded(Image.fromarray(pixels(12, 17)), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))
    assert read_picture(data, max_pixels=12 * 17).rgb.shape == (12, 17, 3)
    with pytest.raises(errors.ImageTooLarge, match="the limit is 203; raise max_pixels"):
        read_picture(data, max_pixels=203)
    assert Image.MAX_IMAGE_PIXELS == 20


@pytest.mark.slow
def test_a_picture_of_190_megapixels_is_read_if_max_pixels_allows() -> None:
    samples = np.zeros((13_800, 13_800), np.uint8)
    samples[-1, -1] = 200
    picture = read_picture(encoded(Image.fromarray(samples), compress_level=1), max_pixels=200_000_000)
    assert picture.rgb[-1, -1].tolist() == [200, 200, 200]


def test_a_claim_of_billions_of_pixels_is_refused_whatever_pillows_limit_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(errors.ImageTooLarge, match="3,600,000,000 pixels"):
        read_picture(bomb())


def test_reading_in_many_threads_leaves_pythons_warnings_and_pillow_as_they_were() -> None:
    inks = Image.fromarray(pixels()).convert("CMYK")
    files = [
        encoded(inks, "MPO", save_all=True, append_images=[inks]),
        encoded(Image.fromarray(pixels()), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        encoded(Image.fromarray(pixels()), "TIFF")[:-40],
    ]
    wrong: list[BaseException] = []

    def read() -> None:
        for number in range(60):
            try:
                read_picture(files[number % 3])
            except (errors.TruncatedImage, PictureWarning):
                pass
            except BaseException as error:  # noqa: BLE001 - to find them is what this is for
                wrong.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PictureWarning)
        before = list(warnings.filters)
        settings_of_pillow = Image.MAX_IMAGE_PIXELS, Image.Image.load
        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        with warnings.catch_warnings():  # an application's own, entered and left meanwhile
            warnings.simplefilter("ignore", ResourceWarning)
        for thread in threads:
            thread.join()
        assert wrong == []
        read_picture(files[1])
        assert list(warnings.filters) == before
        assert settings_of_pillow == (Image.MAX_IMAGE_PIXELS, Image.Image.load)


def test_an_applications_own_warnings_are_heard_while_pictures_are_read() -> None:
    stop = threading.Event()
    data = encoded(Image.fromarray(pixels()))

    def read() -> None:
        while not stop.is_set():
            read_picture(data)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(50):
            with pytest.warns(RuntimeWarning, match=f"number {number}$"):
                warnings.warn(f"number {number}", RuntimeWarning, stacklevel=1)
    finally:
        stop.set()
        thread.join()


def test_an_imagemagick_png_keeps_its_exif_written_as_text() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8298] = "CC0"
    block = exif.tobytes()
    text = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
    data = png(pixels(8, 12), 8, COLOUR, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))
    picture = read_picture(data)
    assert picture.rgb.shape == (12, 8, 3)
    assert picture.rebuild(picture.rgb).getexif()[0x8298] == "CC0"


def test_a_resolution_in_a_png_survives_the_tidying() -> None:
    pixels_a_metre = struct.pack(">IIB", 11811, 11811, 1)
    data = png(pixels(), 8, COLOUR, chunk(b"tEXt", b"A\0b"), chunk(b"pHYs", pixels_a_metre))
    assert read_picture(data).info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_a_still_picture_that_is_said_to_move_is_read() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (9, 11, 3))
    moves = chunk(b"acTL", struct.pack(">II", 1, 0))
    frame = chunk(b"fdAT", struct.pack(">I", 0) + zlib.compress(b"a frame without a control chunk"))
    with pytest.warns(PictureWarning, match="its still picture is taken"):
        picture = read_picture(png(samples, 8, COLOUR, moves, after=[frame]))
    assert np.array_equal(picture.rgb, samples)
    assert picture.frames == 1


def test_an_icon_with_a_huge_size_is_refused_in_words_about_the_file() -> None:
    small = encoded(Image.fromarray(pixels(16, 16)), "ICO")
    start = int.from_bytes(small[18:22], "little")
    picture = bomb()
    data = small[:14] + struct.pack("<II", len(picture), start) + small[22:start] + picture
    with pytest.raises(errors.ImageTooLarge) as refused:
        read_picture(data)
    assert "such as a frame or a size of an icon" in str(refused.value)
    assert "PIL" not in str(refused.value)


def test_a_name_cannot_command_the_terminal_by_a_note_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[31mred\u202e.gif"
    frame = Image.fromarray(pixels())
    path.write_bytes(encoded(frame, "GIF", save_all=True, append_images=[frame.rotate(180)]))
    with pytest.warns(PictureWarning) as said:
        picture = read_picture(path)
    path.write_bytes(b"no picture")
    with pytest.raises(errors.NotAnImage) as refused:
        read_picture(path)
    for message in (*picture.notes, str(said[0].message), str(refused.value)):
        assert r"a\n\x1b[31mred\u202e.gif" in message
        assert message.isprintable()
