"""Check that a model answered what its contract promises."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from impasto.client._calls import Outputs
from impasto.client.errors import DecodeError


def output(
    outputs: Outputs, name: str, *, dtype: DTypeLike, shape: tuple[int | None, ...], model: str
) -> NDArray[Any]:
    """The output called `name`.

    Args:
        outputs: the answer.
        name: of the output.
        dtype: what it must be; `object` for strings.
        shape: likewise, None where any size will do.
        model: for the message.

    Raises:
        DecodeError: it is missing, or not of this dtype and shape.
    """
    found = outputs.get(name)
    fits = (
        found is not None
        and found.dtype == np.dtype(dtype)
        and len(found.shape) == len(shape)
        and all(size in (None, actual) for size, actual in zip(shape, found.shape, strict=True))
    )
    if found is None or not fits:
        got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
        wanted = f"{np.dtype(dtype)} [{', '.join('?' if size is None else str(size) for size in shape)}]"
        raise DecodeError(
            f"{model} answered {got} for {name!r} instead of {wanted}; was it exported for this client?",
            model=model,
        )
    return found
