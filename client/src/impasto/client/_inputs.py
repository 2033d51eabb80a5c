"""Values that a caller gives as inputs, as the arrays that are sent."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client.errors import InvalidInput
from impasto.client.signatures import MODELS

# What numpy raises for a value that is no array, and what other libraries raise for tensors that numpy cannot see.
_REFUSALS: Final = (ValueError, TypeError, RuntimeError, BufferError, OverflowError)

# Which of numpy's kinds a plain Python number may become, seen from the kind that numpy gives it.
_WIDENS: Final = {"b": "b", "i": "iuf", "u": "iuf", "f": "f"}


def as_array(model: str, signature: str, name: str, value: object) -> NDArray[Any]:
    """The array to send for one input.

    An array (or numpy scalar) is sent with the dtype it has: a wrong one is for the server to refuse, never
    for the client to convert in silence. Plain Python numbers and lists have no dtype of their own, so they
    take the contract's for this model, signature and input where that keeps their value (an int may become
    any integer that holds it, or a float; a float never becomes an integer); otherwise, and for models
    outside the contract, they are what numpy makes of them (int64, float64, strings).

    Raises:
        InvalidInput: numpy cannot make an array of the value (a ragged list, a tensor on a GPU), or the array has
            masked values.
    """
    if isinstance(value, np.ndarray | np.generic):
        return _unmasked(model, name, cast("NDArray[Any]", value))
    try:
        array = _of_others(value)
        if array is not None:
            return array
        array = np.asarray(value)
    except _REFUSALS as error:
        raise InvalidInput(f"input {name!r} is not an array: {error}", model=model) from error
    if array.dtype.kind == "O":
        _check_strings(model, name, array)
    if array.dtype.kind in "SU":
        return np.asarray(value, dtype=object)  # numpy's own byte strings lose trailing zero bytes
    wanted = _contract_dtype(model, signature, name)
    if wanted is None or wanted == array.dtype:
        return array
    if array.size == 0:
        return array.astype(wanted)
    if wanted.kind not in _WIDENS.get(array.dtype.kind, ""):
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    # A Python float is meant as the nearest float of the contract's type; an int is meant exactly.
    holds = np.isfinite(converted) == np.isfinite(array) if array.dtype.kind == "f" else converted == array
    return converted if holds.all() else array


def _of_others(value: object) -> NDArray[Any] | None:
    """Return the array of another library's tensor, which has a dtype of its own; None for anything else."""
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(cast(Any, value))
    return None


def _unmasked(model: str, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as a plain one. Raises InvalidInput where values are masked, which no tensor can say."""
    masked = int(np.count_nonzero(getattr(array, "mask", False)))
    if masked:
        raise InvalidInput(
            f"input {name!r} has masked values ({masked}), which no request can say; fill them: array.filled(0)",
            model=model,
        )
    plain = np.asarray(array)
    if plain.dtype.kind == "O":
        _check_strings(model, name, plain)
    return plain


def _check_strings(model: str, name: str, array: NDArray[Any]) -> None:
    """Check that what numpy took as objects are strings. Raises InvalidInput, which says what else there is."""
    for item in array.ravel().tolist():
        if isinstance(item, str | bytes):
            continue
        if item is None:
            what = "None; an input that has a default may be left out"
        elif isinstance(item, int):
            what = f"{item}, a number beyond 64 bits, or among strings"
        else:
            what = (
                f"a {type(item).__name__}, which is no number and no text; give numbers, str, bytes or arrays"
            )
        raise InvalidInput(f"input {name!r} {'is' if array.ndim == 0 else 'holds'} {what}", model=model)


def _contract_dtype(model: str, signature: str, name: str) -> np.dtype[Any] | None:
    known = MODELS.get(model)
    if known is None or signature not in known.signatures:
        return None
    for spec in known.signatures[signature].inputs:
        if spec.name == name and spec.dtype != "string":
            return np.dtype(spec.dtype)
    return None
