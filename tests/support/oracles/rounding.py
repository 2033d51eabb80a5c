"""The comparison of pictures whose bits nobody promises to be equal.

The same call to the same server gives the same bits, whoever sends it. So do a job in many calls and one that goes on
after an interruption, on servers of one kind. Such pictures are compared with `numpy.array_equal`.

Where a network sees other shapes or runs in another graph, the bits may differ: a batch against its pictures one by
one, tiles against the whole picture, two signatures against one, a network against an independent one. The kernels
cut their sums of float32 products into blocks by the shapes, the processor's instructions (SSE4.1, AVX2, AVX-512) and
the number of threads, and each order of a sum rounds the last bits of a float in its own way. A byte then differs
where its value lies that close to the edge of rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FLOATS = 0.1 / 255
"""The largest difference between floats 0..1 of two pictures that are equal but for rounding: a tenth of a grey level.

6e-5 was seen between an export and its module, with AVX2.
"""


def assert_equal_but_for_rounding(found: Any, expected: Any, *, share: float = 1e-3) -> None:
    """Assert that two pictures of bytes differ by one grey level at most, and seldom.

    Args:
        found: a picture, or a batch of them, uint8.
        expected: its like.
        share: the part of all bytes that may differ. A picture that passes one short network, as an upscaled one, has
            fewer than one in a million of them; each layer of a deeper one adds to it.
    """
    one, other = np.asarray(found), np.asarray(expected)
    assert one.dtype == other.dtype == np.uint8
    assert one.shape == other.shape
    difference = np.abs(one.astype(int) - other)
    assert difference.max() <= 1, f"{difference.max()} grey levels"
    differing = float((difference > 0).mean())
    assert differing <= share, f"{differing:.2%} of the bytes differ"
