"""A file's name tells whether it is a picture that is read here, one that is not and what to do, or none."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, features

from images.pictures import pixels
from impasto.client import read_picture
from impasto.client.pictures import WRITABLE, named_picture, readable_extensions
from impasto.client.pictures._extensions import readable_extensions as cached


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a.jpg",
            "a.JPEG",
            "b.jfif",
            "b.jpe",
            "c.mpo",
            "d.png",
            "d.apng",
            "e.gif",
            "f.webp",
            "g.tif",
            "g.TIFF",
        ),
        *("h.bmp", "i.pnm", "i.ppm", "i.pgm", "i.pbm", "j.tga", "k.jp2", "l.psd", "m.ico", "n.avif", "o.qoi"),
    ],
)
def test_pictures_that_are_read_here(name: str) -> None:
    found = named_picture(name)
    assert found is not None
    assert (found.readable, found.remedy) == (True, "")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("IMG_1.HEIC", "heif-convert"),
        ("a.heif", "JPEG"),
        ("logo.svg", "Inkscape"),
        ("b.svgz", "rsvg-convert"),
        *(
            (f"photo{suffix}", "raw converter")
            for suffix in (".raw", ".dng", ".cr2", ".CR3", ".nef", ".arw", ".orf", ".raf")
        ),
        ("c.eps", "Ghostscript"),
        ("d.jxl", "djxl"),
        ("e.exr", "exposure"),
        ("f.xcf", "export it"),
        ("g.wmf", "export it"),
        ("h.mp4", "a video goes by itself"),
        ("i.MPG", "a video goes by itself"),
    ],
)
def test_pictures_that_are_not_read_here_say_what_to_do(name: str, remedy: str) -> None:
    found = named_picture(Path("folder") / name)
    assert found is not None
    assert not found.readable
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "data.h5",
        "a.pdf",
        "noextension",
        ".png",
        "a.",
        "x.json",
        "a.grib",
    ],
)
def test_other_files_are_no_pictures(name: str) -> None:
    assert named_picture(name) is None


def test_all_that_can_be_written_can_be_read() -> None:
    assert set(WRITABLE) <= readable_extensions()


def test_every_readable_extension_that_pillow_writes_is_read_under_that_name(tmp_path: Path) -> None:
    Image.init()
    written = 0
    for suffix in sorted(readable_extensions() & set(Image.registered_extensions())):
        kind = Image.registered_extensions()[suffix]
        buffer = io.BytesIO()
        for mode in ("RGB", "L", "1", "P"):
            try:
                Image.fromarray(pixels(32, 32)).convert(mode).save(buffer, kind)
            except (KeyError, OSError, ValueError):
                continue
            (tmp_path / f"a{suffix}").write_bytes(buffer.getvalue())
            shape = read_picture(tmp_path / f"a{suffix}").rgb.shape
            assert shape == ((1024, 1024, 3) if kind == "ICNS" else (32, 32, 3)), suffix
            written += 1
            break
    assert written > 25


def test_avif_without_a_decoder_is_a_picture_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check_module", lambda name: name != "avif")
    cached.cache_clear()
    try:
        found = named_picture("a.avif")
        assert found is not None
        assert not found.readable
        assert "install a Pillow" in found.remedy
    finally:
        cached.cache_clear()
