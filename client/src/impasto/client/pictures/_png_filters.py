"""PNG's filters, with which a row is told by how it differs from its neighbours (PNG specification, section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Filter: TypeAlias = Callable[[Bytes, Bytes, int], Bytes]
"""Takes rows of bytes [n, length], those above them, and the bytes of a pixel; returns the filtered rows [n, length].

Sums and differences are modulo 256, as bytes have them by themselves."""


def _unfiltered(rows: Bytes, _above: Bytes, _step: int) -> Bytes:
    return rows


def _sub(rows: Bytes, _above: Bytes, step: int) -> Bytes:
    return rows - _left_of(rows, step)


def _up(rows: Bytes, above: Bytes, _step: int) -> Bytes:
    return rows - above


def _average(rows: Bytes, above: Bytes, step: int) -> Bytes:
    left = _left_of(rows, step)
    mean = (left & above) + ((left ^ above) >> 1)  # rounded down, within eight bits
    return rows - np.asarray(mean, np.uint8)


def _paeth(rows: Bytes, above: Bytes, step: int) -> Bytes:
    left, corner = _left_of(rows, step), _left_of(above, step)
    across = above.astype(np.int16) - corner  # how far left + above - corner is from left
    down = left.astype(np.int16) - corner
    from_corner = np.abs(across + down)
    from_left, from_above = np.abs(across, out=across), np.abs(down, out=down)
    nearest: Bytes = np.where(from_above <= from_corner, above, corner)
    np.copyto(nearest, left, where=(from_left <= from_above) & (from_left <= from_corner))
    return rows - nearest


_FILTERS: Final[tuple[Filter, ...]] = (_unfiltered, _sub, _up, _average, _paeth)

QUICK: Final = (1, 2, 3)
"""The types of the filters that cost least, by their numbers in a file."""

THOROUGH: Final = (1, 2, 3, 4)
"""The types of all filters that change a row."""


def filtered(rows: Bytes, above: Bytes | None, step: int, types: tuple[int, ...]) -> Bytes:
    """Return rows with the type of each in front, each by the filter that leaves the smallest differences.

    That is the specification's heuristic (12.7): the sum of the differences without their signs is the least.

    Args:
        rows: uint8 [n, length].
        above: uint8 [length], the row above the first one; None for the top of a picture.
        step: the bytes of a pixel.
        types: the types to choose from, by their numbers in a file.

    Returns:
        uint8 [n, 1 + length].
    """
    over = np.empty_like(rows)
    over[0] = 0 if above is None else above
    over[1:] = rows[:-1]
    result = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    least = np.full(len(rows), np.iinfo(np.uint64).max, np.uint64)
    for kind in types:
        found = _FILTERS[kind](rows, over, step)
        sizes = _differences(found) if len(types) > 1 else np.zeros(len(rows), np.uint64)
        better = sizes < least
        result[better, 0] = kind
        result[better, 1:] = found[better]
        np.minimum(least, sizes, out=least)
    return result


def _left_of(rows: Bytes, step: int) -> Bytes:
    left = np.zeros_like(rows)
    left[:, step:] = rows[:, :-step]
    return left


def _differences(rows: Bytes) -> NDArray[np.uint64]:
    # Of -128 the size overflows to -128, which is 128 as an unsigned byte.
    sizes: NDArray[np.uint8] = np.abs(rows.view(np.int8)).view(np.uint8)
    return np.asarray(sizes.sum(axis=1, dtype=np.uint64))
