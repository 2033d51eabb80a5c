"""PNG and APNG files from samples, written without Pillow: an independent source of what the format allows."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6


def chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """One chunk, with its own checksum or a wrong one."""
    right = zlib.crc32(kind + content)
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", right if checksum is None else checksum)
    )


def packed(samples: NDArray[np.integer], depth: int) -> bytes:
    """Rows [H, W] or [H, W, C] as zlib data: each begins with the filter 0."""
    flat = samples.reshape(len(samples), -1)
    if depth == 16:
        rows: NDArray[np.uint8] = flat.astype(">u2").view(np.uint8).reshape(len(flat), -1)
    elif depth == 8:
        rows = flat.astype(np.uint8)
    else:
        bits = (flat[..., np.newaxis] >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.reshape(len(flat), -1).astype(np.uint8), axis=1)
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def header(samples: NDArray[np.integer], depth: int, colour: int) -> bytes:
    """The IHDR chunk."""
    height, width = samples.shape[:2]
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(
    samples: NDArray[np.integer], depth: int, colour: int, *before: bytes, after: Iterable[bytes] = ()
) -> bytes:
    """A PNG file with further chunks before and after its pixels."""
    pixels = chunk(b"IDAT", packed(samples, depth))
    return b"".join((SIGNATURE, header(samples, depth, colour), *before, pixels, *after, chunk(b"IEND", b"")))


def key(*values: int) -> bytes:
    """The tRNS chunk of a transparent colour."""
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


@dataclass(frozen=True)
class Patch:
    """A frame of an APNG: RGBA samples for a part of the canvas."""

    samples: NDArray[np.uint8]
    x: int
    y: int
    dispose: int = 0
    blend: int = 0
    milliseconds: int = 100


def apng(patches: Sequence[Patch], *, plays: int = 0, default: NDArray[np.uint8] | None = None) -> bytes:
    """An APNG file of RGBA frames; `default` is a picture that is not one of them."""
    still = patches[0].samples if default is None else default
    parts = [
        SIGNATURE,
        header(still, 8, COLOUR_ALPHA),
        chunk(b"acTL", struct.pack(">II", len(patches), plays)),
    ]
    number = 0
    for index, patch in enumerate(patches):
        if index == 0 and default is not None:
            parts.append(chunk(b"IDAT", packed(default, 8)))
        height, width = patch.samples.shape[:2]
        control = struct.pack(
            ">IIIIIHHBB",
            *(number, width, height, patch.x, patch.y, patch.milliseconds, 1000, patch.dispose, patch.blend),
        )
        parts.append(chunk(b"fcTL", control))
        number += 1
        if index == 0 and default is None:
            parts.append(chunk(b"IDAT", packed(patch.samples, 8)))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + packed(patch.samples, 8)))
            number += 1
    return b"".join((*parts, chunk(b"IEND", b"")))


def composed(patches: Sequence[Patch], size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """What a viewer shows, by the APNG specification, for pixels that are opaque or clear: [H, W, 4] a frame."""
    height, width = size
    canvas = np.zeros((height, width, 4), np.uint8)
    shown: list[NDArray[np.uint8]] = []
    for patch in patches:
        rows = slice(patch.y, patch.y + patch.samples.shape[0])
        columns = slice(patch.x, patch.x + patch.samples.shape[1])
        before = canvas.copy()
        region = canvas[rows, columns]
        visible = patch.samples[..., 3:] > 0 if patch.blend else np.ones((*patch.samples.shape[:2], 1), bool)
        canvas[rows, columns] = np.where(visible, patch.samples, region)
        shown.append(canvas.copy())
        if patch.dispose == 1:
            canvas[rows, columns] = 0
        elif patch.dispose == 2:
            canvas = before
    return shown
