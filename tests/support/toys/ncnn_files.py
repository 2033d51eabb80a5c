"""A small network in ncnn's files, with every kind of layer that is read."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np

_PARAM: Final = """7767517
13 16
Input picture 0 1 data
Split split 1 2 data data_0 data_1
Convolution first 1 1 data_0 first_out 0=4 1=3 4=1 5=1 6=108 9=2 -23310=1,2.000000e-01
PReLU prelu 1 1 first_out prelu_out 0=4
Split split2 1 3 prelu_out p_0 p_1 p_2
Convolution second 1 1 p_0 second_out 0=4 1=1 5=0 6=16 9=1
Eltwise sum 2 1 second_out p_1 sum_out 0=1 -23301=2,2.000000e-01,1.000000e+00
Concat concat 2 1 sum_out p_2 concat_out 0=0
Convolution last 1 1 concat_out wide 0=48 1=3 4=1 5=1 6=3456
PixelShuffle shuffle 1 1 wide fine 0=4
Interp nearest 1 1 data_1 large 0=1 1=4.000000e+00 2=4.000000e+00
BinaryOp add 2 1 fine large sharp
Interp smaller 1 1 sharp output 0=3 1=7.500000e-01 2=7.500000e-01
"""
_CONVOLUTIONS: Final = ((108, 4), (16, 0), (3456, 48))


class NcnnFiles(NamedTuple):
    """The two files of a network."""

    param: bytes
    weights: bytes


def small_files(*, half: bool = True) -> NcnnFiles:
    """Return a network that triples, with the same weights as float16 or float32."""
    rng = np.random.default_rng(0)
    content = b""
    for place, (kernel, bias) in enumerate(_CONVOLUTIONS):
        numbers = rng.normal(0, 0.2, kernel).astype(np.float16)
        tag, values = (0x01306B47, numbers) if half else (0, numbers.astype(np.float32))
        content += struct.pack("<I", tag) + values.tobytes()
        content += rng.normal(0, 0.1, bias).astype("<f4").tobytes()
        if place == 0:
            content += np.array([0.1, -0.5, 0.9, 1.5], "<f4").tobytes()
    return NcnnFiles(_PARAM.encode(), content)
