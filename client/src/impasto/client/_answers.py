"""Check that a model answered what its contract promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from impasto.client._transport.calls import Outputs
from impasto.client.errors import DecodeError
from impasto.client.signatures import Signature

_MOST_ENTRIES: Final = 4096
_LONGEST_TEXT: Final = 16_384
"""Bytes. Both limits are far beyond any network's layers and licence."""

_Bytes: TypeAlias = "bytes | list[_Bytes]"


def output(
    outputs: Outputs,
    name: str,
    *,
    dtype: DTypeLike,
    shape: tuple[int | None, ...],
    model: str,
    finite: bool = False,
) -> NDArray[Any]:
    """The output called `name`.

    Args:
        outputs: the model's outputs.
        name: the name of the one that is wanted.
        dtype: the dtype that it must have; `object` for strings.
        shape: the shape that it must have, None where any size but 0 will do.
        model: the model's name, for the message.
        finite: True to refuse infinity and NaN.

    Raises:
        DecodeError: it is missing, not of this dtype and shape, or not finite.
    """
    found = outputs.get(name)
    fits = (
        found is not None
        and found.dtype == np.dtype(dtype)
        and len(found.shape) == len(shape)
        and all(
            actual == size or (size is None and actual)
            for size, actual in zip(shape, found.shape, strict=True)
        )
    )
    if found is None or not fits:
        got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
        wanted = f"{np.dtype(dtype)} [{', '.join('?' if size is None else str(size) for size in shape)}]"
        raise DecodeError(
            f"{model} answered {got} for {name!r} instead of {wanted}; was it exported for this client?",
            model=model,
        )
    if finite and not np.isfinite(found).all():
        raise DecodeError(f"{model} answered {name!r} with numbers that are not finite", model=model)
    return found


def told(outputs: Outputs, signature: Signature, *, names: Sequence[str], model: str) -> dict[str, Any]:
    """Outputs of the contract as plain values: numbers, strings, and lists of them.

    Args:
        outputs: the answer.
        signature: the contract's, whose outputs have these dtypes and as many dimensions.
        names: of the wanted ones.
        model: for the message.

    Raises:
        DecodeError: one is missing, not what the contract promises, or of a size that makes no sense.
    """
    values: dict[str, Any] = {}
    for spec in signature.outputs:
        if spec.name not in names:
            continue
        dtype: DTypeLike = np.object_ if spec.dtype == "string" else spec.dtype
        array = output(
            outputs,
            spec.name,
            dtype=dtype,
            shape=(None,) * len(spec.shape),
            model=model,
            finite=spec.dtype == "float32",
        )
        if array.size > _MOST_ENTRIES:
            raise DecodeError(
                f"{model} answered {spec.name!r} with {array.size} entries, and at most {_MOST_ENTRIES} make sense",
                model=model,
            )
        if spec.dtype != "string":
            values[spec.name] = array.tolist()
            continue
        if any(len(text) > _LONGEST_TEXT for text in array.flat):
            raise DecodeError(
                f"{model} answered {spec.name!r} with a text of more than {_LONGEST_TEXT} bytes", model=model
            )
        try:
            values[spec.name] = _text(array.tolist())
        except UnicodeDecodeError as error:
            raise DecodeError(
                f"{model} answered {spec.name!r} with text that is no UTF-8", model=model
            ) from error
    return values


def decimal(value: float) -> float:
    """The shortest number that is the same float32: 0.02 rather than 0.019999999552965164."""
    return float(str(np.float32(value)))


def _text(value: _Bytes) -> Any:
    return [_text(entry) for entry in value] if isinstance(value, list) else value.decode()
