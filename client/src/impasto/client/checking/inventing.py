"""Inputs for a signature of which only the metadata is known."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client import errors
from impasto.client._wire.dtypes import BY_NAME, OF_ML_DTYPES, ml_dtype
from impasto.client.checking.samples import picture
from impasto.client.metadata import SignatureInfo, TensorInfo

_PICTURE_SIDE: Final = 224
"""A side that networks for pictures take: one that is too small for its network can end a whole server."""

_MOST_ELEMENTS: Final = 1 << 20
_MOST_DIMENSIONS: Final = 32
"""Those of an array of any numpy."""


UNSUITABLE: Final = (errors.InvalidInput, errors.PreconditionFailed, errors.ServerFault)
"""The errors with which a model refuses values that were made up."""


class CannotInvent(Exception):  # noqa: N818 - says what happened, as the client's errors do
    """No value can be made up for an input; the message says for which, and why."""


def invented(signature: SignatureInfo) -> dict[str, NDArray[Any]]:
    """Make up a value for each input that a request must carry. Raises CannotInvent."""
    return {name: _value(info) for name, info in signature.inputs.items() if info.default is None}


def _value(info: TensorInfo) -> NDArray[Any]:
    shape = _shape(info)
    if math.prod(shape) > _MOST_ELEMENTS or len(shape) > _MOST_DIMENSIONS:
        raise CannotInvent(f"the input {info.name!r} is too large")
    if info.dtype == "string":
        return np.full(shape, b"", object)
    dtype = _dtype(info)
    if shape[-3:] == (_PICTURE_SIDE, _PICTURE_SIDE, 3) and dtype.kind in "fu":
        pixels = picture(_PICTURE_SIDE, _PICTURE_SIDE) / (1 if dtype.kind == "u" else 255)
        return np.broadcast_to(pixels.astype(dtype), shape)
    return np.zeros(shape, dtype)


def _dtype(info: TensorInfo) -> np.dtype[Any]:
    """The numpy dtype to send. Quantised types are never sent, as the server takes no plain integers for them."""
    known = BY_NAME.get(info.dtype)
    storage = None if known is None else known.storage
    dtype = ml_dtype(info.dtype) if info.dtype in OF_ML_DTYPES else storage
    if dtype is None or info.dtype.startswith("q"):
        raise CannotInvent(f"the input {info.name!r} has dtype {info.dtype}")
    return dtype


def _shape(info: TensorInfo) -> tuple[int, ...]:
    """The input's shape with numbers for what is free: a picture's sides, or one of everything."""
    if info.shape is None:
        return (1,)
    if len(info.shape) >= 3 and info.shape[-3:] == (None, None, 3):
        leading = tuple(size or 1 for size in info.shape[:-3])
        return (*leading, _PICTURE_SIDE, _PICTURE_SIDE, 3)
    return tuple(1 if size is None else size for size in info.shape)
