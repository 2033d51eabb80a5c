"""ncnn's `.bin`: the weights of the layers in their order, without names or sizes.

A layer's main weights begin with four bytes that say how they are written: as float16, padded to a multiple of four
bytes, or as float32. Its other numbers, such as a bias, are float32 without such a beginning. All is little-endian.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.export.upscale.ncnn.errors import NcnnError

_FLOAT16: Final = 0x01306B47
_FLOAT32: Final = (0, 0x0002C056)
_OTHERS: Final = {0x000D4B38: "8-bit integers"}


class WeightsReader:
    """Reads the weights of one layer after another.

    Args:
        content: the file.
    """

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._place = 0

    def tagged(self, count: int, owner: object) -> NDArray[np.float32]:
        """Return the next `count` numbers, written as their first four bytes say. Raises NcnnError."""
        place = self._place
        tag = int(self._take(1, np.dtype("<u4"), owner)[0])
        if tag == _FLOAT16:
            numbers = self._take(count + count % 2, np.dtype("<f2"), owner)[:count].astype(np.float32)
        elif tag in _FLOAT32:
            numbers = self._take(count, np.dtype("<f4"), owner).astype(np.float32)
        else:
            kind = _OTHERS.get(tag, "something else")
            raise NcnnError(
                f"the weights of {owner} begin with 0x{tag:08X} at byte {place}, which means {kind}: "
                "only float16 and float32 are read here"
            )
        return _finite(numbers, owner)

    def plain(self, count: int, owner: object) -> NDArray[np.float32]:
        """Return the next `count` numbers, which are float32. Raises NcnnError."""
        return _finite(self._take(count, np.dtype("<f4"), owner).astype(np.float32), owner)

    def finish(self) -> None:
        """Refuse a file that goes on: its layers are others. Raises NcnnError."""
        if left := len(self._content) - self._place:
            raise NcnnError(
                f"{left} bytes are left over after the last layer: the two files do not belong together"
            )

    def _take(self, count: int, dtype: np.dtype[Any], owner: object) -> NDArray[Any]:
        end = self._place + count * dtype.itemsize
        if end > len(self._content):
            raise NcnnError(
                f"it ends at byte {len(self._content)}, in the weights of {owner}, which go on to byte {end}"
            )
        taken = np.frombuffer(self._content[self._place : end], dtype)
        self._place = end
        return taken


def _finite(numbers: NDArray[np.float32], owner: object) -> NDArray[np.float32]:
    if not np.isfinite(numbers).all():
        raise NcnnError(f"the weights of {owner} have numbers that are not finite")
    return numbers
