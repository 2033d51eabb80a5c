"""Small files of every image format that Pillow reads here: those it can write itself, and others made by hand."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from PIL import Image

from images.pictures import cmyk_profile, pixels

_MODES_OF_COMPRESSION: Final = {"jpeg": ("L", "RGB", "CMYK"), "group4": ("1",)}
"""In other modes libtiff's writer ends the process."""

MODES: Final = (
    *("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"),
    *("I", "I;16", "F"),
)
"""Every mode that is tried; most formats take a few of them."""

WIDTH, HEIGHT = 40, 32

_VARIANTS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "JPEG": ({"progressive": True}, {"exif": True, "dpi": (300, 300)}, {"icc_profile": cmyk_profile()}),
    "PNG": ({"exif": True, "dpi": (72, 72)}, {"icc_profile": cmyk_profile()}, {"save_all": True}),
    "TIFF": (
        *({"compression": kind} for kind in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4")),
        {"exif": True, "dpi": (300, 300), "icc_profile": cmyk_profile()},
        {"big_tiff": True},
    ),
    "WEBP": ({"lossless": True}, {"save_all": True}, {"exif": True}),
    "AVIF": ({"save_all": True}, {"exif": True}),
    "GIF": ({"save_all": True}, {"transparency": 3}),
    "DDS": ({"pixel_format": "DXT1"}, {"pixel_format": "DXT5"}, {"pixel_format": "BC5"}),
    "BLP": ({"blp_version": "BLP1"},),
    "JPEG2000": ({"no_jp2": True}, {"irreversible": True, "quality_layers": [20]}),
    "TGA": ({"compression": "tga_rle"},),
    "BMP": ({"dpi": (300, 300)},),
    "MPO": ({"save_all": True},),
}
"""Options beyond the default ones, by format."""


def written_files() -> Iterator[tuple[str, bytes]]:
    """Every mode and variant of every format that Pillow writes: what it is, and its bytes."""
    Image.init()
    for kind in sorted(Image.SAVE):
        for mode in MODES:
            for number, options in enumerate(({}, *_VARIANTS.get(kind, ()))):
                data = _written(kind, mode, options)
                if data is not None:
                    yield f"{kind} {mode} {number}", data


def made_files() -> Iterator[tuple[str, bytes]]:
    """One file of formats that Pillow reads and does not write."""
    for make in (
        _cur,
        _dcx,
        _fits,
        _sun,
        _xpm,
        _psd,
        _gbr,
        _xv_thumbnail,
        _pixar,
        _fli,
        _ftex,
        _mcidas,
    ):
        yield make.__name__.strip("_").upper(), make()


def in_mode(mode: str) -> Image.Image:
    """The usual picture in one of MODES."""
    image = Image.fromarray(pixels(HEIGHT, WIDTH, 4))
    if mode == "I;16":
        return Image.fromarray(np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16))
    steps = {"La": ("LA",), "PA": ("P",), "LA": ("LA",)}.get(mode, ())
    if mode not in ("RGBA", "RGBa", "LA", "La"):
        image = image.convert("RGB")
    if mode == "LAB":
        return Image.frombytes("LAB", image.size, image.tobytes())
    for step in (*steps, mode):
        image = image.convert(step)
    return image


def _written(kind: str, mode: str, options: dict[str, Any]) -> bytes | None:
    """None if the format does not take the mode."""
    if mode not in _MODES_OF_COMPRESSION.get(options.get("compression", ""), MODES):
        return None
    options = dict(options)
    if options.get("exif"):
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        exif[0x010F] = "a maker"
        options["exif"] = exif.tobytes()
    if options.get("save_all"):
        options["append_images"] = [in_mode(mode).transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow is about to refuse I in PNG
            in_mode(mode).save(buffer, kind, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, struct.error):
        return None
    return buffer.getvalue()


def _plain(mode: str = "RGB") -> bytes:
    return in_mode(mode).tobytes()


def _cur() -> bytes:
    """A Windows cursor: an icon of another type."""
    bitmap = _dib()
    entry = struct.pack("<BBBBHHII", WIDTH, HEIGHT, 0, 0, 1, 2, len(bitmap), 22)
    return struct.pack("<HHH", 0, 2, 1) + entry + bitmap


def _dib() -> bytes:
    data = _written("DIB", "RGB", {})
    assert data is not None
    # Its height counts the colours and the mask below them.
    return data[:8] + struct.pack("<i", 2 * HEIGHT) + data[12:] + bytes(8 * HEIGHT)


def _dcx() -> bytes:
    page = _written("PCX", "RGB", {})
    assert page is not None
    return struct.pack("<III", 0x3ADE68B1, 12, 0) + page


def _fits() -> bytes:
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        f"NAXIS1  = {WIDTH:>20}",
        f"NAXIS2  = {HEIGHT:>20}",
        "END",
    ]
    header = "".join(card.ljust(80) for card in cards).encode()
    return header.ljust(2880, b" ") + _plain("L").ljust(2880, b"\0")


def _sun() -> bytes:
    data = _plain()
    return struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, 24, len(data), 1, 0, 0) + data


def _xpm() -> bytes:
    rows = ",\n".join(f'"{"ab" * (WIDTH // 2)}"' for _ in range(HEIGHT))
    colours = '"a c #ff0000",\n"b c #00ff00"'
    return f'/* XPM */\nstatic char *p[] = {{\n"{WIDTH} {HEIGHT} 2 1",\n{colours},\n{rows}}};\n'.encode()


def _psd() -> bytes:
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, HEIGHT, WIDTH, 8, 3)
    planes = b"".join(band.tobytes() for band in in_mode("RGB").split())
    return header + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + planes


def _gbr() -> bytes:
    comment = b"a brush\0"
    header = struct.pack(">5I4sI", 28 + len(comment), 2, WIDTH, HEIGHT, 4, b"GIMP", 10)
    return header + comment + _plain("RGBA")


def _xv_thumbnail() -> bytes:
    return b"P7 332\n#END_OF_COMMENTS\n%d %d 255\n" % (WIDTH, HEIGHT) + _plain("L")


def _pixar() -> bytes:
    header = bytearray(1024)
    header[:4] = b"\x80\xe8\0\0"
    header[416:420] = struct.pack("<HH", HEIGHT, WIDTH)
    header[424:428] = struct.pack("<HH", 14, 2)
    return bytes(header) + _plain()


def _fli() -> bytes:
    """One frame, each line a run of one colour."""
    lines = b"".join(bytes([1, WIDTH, row]) for row in range(HEIGHT))
    chunk = struct.pack("<IH", 6 + len(lines), 15) + lines
    frame = struct.pack("<IHH8x", 16 + len(chunk), 0xF1FA, 1) + chunk
    header = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF11, 1, WIDTH, HEIGHT, 8, 3, 5)
    return header.ljust(128, b"\0") + frame


def _ftex() -> bytes:
    data = _plain()
    header = b"FTEX" + struct.pack("<i", 1) + struct.pack("<2i", WIDTH, HEIGHT) + struct.pack("<2i", 1, 1)
    return header + struct.pack("<2i", 1, 32) + struct.pack("<i", len(data)) + data


def _mcidas() -> bytes:
    words = [0] * 64
    words[1], words[8], words[9], words[10], words[13], words[33] = 4, HEIGHT, WIDTH, 1, 1, 256
    return struct.pack(">64i", *words) + _plain("L")
