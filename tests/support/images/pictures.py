"""Pictures for tests: small, varied, and in every form that people have them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms


def pixels(
    height: int = 12, width: int = 17, channels: int | None = 3, *, seed: int = 0
) -> NDArray[np.uint8]:
    """Smooth colours with some noise: uint8 [H, W, channels], or [H, W] for None."""
    rng = np.random.default_rng(seed)
    planes = channels or 1
    rows = np.linspace(0, 180, height)[:, np.newaxis, np.newaxis]
    columns = np.linspace(0, 50, width)[np.newaxis, :, np.newaxis]
    noise = rng.integers(0, 25, (height, width, planes))
    array = (rows + columns + noise).astype(np.uint8)
    return array if channels else array[:, :, 0]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The image as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save(path: Path, array: NDArray[np.uint8] | None = None) -> Path:
    """Write a picture (or the standard one) in the format of its extension; returns the path."""
    Image.fromarray(pixels() if array is None else array).save(path)
    return path


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A valid PNG of a few kilobytes that claims billions of pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(width + 1) * 20)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def cmyk_profile() -> bytes:
    """A small ICC printer profile: white paper, black, and inks that are all orange, unlike the plain formula."""
    import struct

    orange, black, white = (160, 190, 190), (0, 128, 128), (255, 128, 128)  # L*, a*, b* in 8 bits
    corners = [
        black if key else orange if cyan or magenta or yellow else white
        for cyan in (0, 1)
        for magenta in (0, 1)
        for yellow in (0, 1)
        for key in (0, 1)
    ]
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * (i in (0, 4, 8)) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + identity * 4
    table += bytes(value for corner in corners for value in corner) + identity * 3
    table += bytes(-len(table) % 4)
    start = 128 + 4 + 12
    header = struct.pack(">I4sI4s4s4s", start + len(table), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", start, len(table)) + table


def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def load(path: Path) -> Image.Image:
    """The image in a file, which is closed again."""
    with Image.open(path) as image:
        image.load()
    return image
