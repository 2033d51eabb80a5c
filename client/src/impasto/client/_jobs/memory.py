"""The size that may fit where a server does not have the memory for a picture that cannot be cut into tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from impasto.client.errors import OutOfMemory

Size: TypeAlias = tuple[int, int]


def too_large(
    error: OutOfMemory, size: Size, remedy: Callable[[float], str], *, done: Sequence[Size] = ()
) -> OutOfMemory:
    """Return the refusal in words that say which side fits: one that was done before, else by an estimate.

    A network takes memory by the number of pixels, so half the side takes a quarter.

    Args:
        error: the refusal.
        size: height and width of what was refused, in pixels.
        remedy: returns what a person can do, by the share of the sides that fits.
        done: the sizes that the same job had done before.
    """
    longest = max(size)
    before = max((max(each) for each in done if max(each) < longest), default=0)
    side = max(before, longest // 2)
    why = "was done before" if side == before else "takes a quarter of the memory, by an estimate,"
    height, width = size
    return error.in_words(
        f"{error.address} does not have the memory for {error.model} at {width} x {height} pixels, and was asked twice "
        f"({error.details.partition(chr(10))[0]}). A longer side of {side} pixels {why} and should fit: "
        f"{remedy(side / longest)}; or try again when the server has less to do"
    )
