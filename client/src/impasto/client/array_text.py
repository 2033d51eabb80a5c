"""Arrays as text: a line for people, or JSON for programs. Shared by the command lines."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client.model import shape_text
from impasto.client.texts import cut, json_text, printable

_SHOWN: Final = 16
"""Elements that a line shows; of more, their range and mean."""

MOST_TOLD: Final = 4096
"""Elements of a default, or of what a model tells of itself, that are shown at most."""

_LONGEST: Final = 200
"""Characters of a string that a line shows."""


def summary(array: NDArray[Any]) -> str:
    """Return a line about an array: dtype and shape, and its values if they are few."""
    dtype = "string" if array.dtype.kind == "O" else array.dtype.name
    head = f"{dtype} {shape_text(array.shape)}"
    if array.dtype.kind == "O":
        texts = [printable(cut(_text(item), _LONGEST)) for item in array.ravel()[:_SHOWN].tolist()]
        more = f" ... {array.size:,} in all" if array.size > _SHOWN else ""
        return f"{head} = {json_text(texts if array.ndim else texts[0], indent=None)}{more}"
    if array.size <= _SHOWN:
        return f"{head} = {np.array2string(array, separator=', ', threshold=_SHOWN).replace(chr(10), '')}"
    return f"{head} {_range(array)}"


def json_values(array: NDArray[Any]) -> Any:
    """Return all values of an array for JSON: floats as short as tells them apart, bytes that are no text as base64."""
    if array.dtype.kind == "O":
        return _nested(array, _json_string)
    if array.dtype.kind == "c":
        return _nested(array, str)
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype == np.float64:
        return array.tolist()
    return _nested(array, _short)


def told_values(array: NDArray[Any]) -> Any:
    """Return what a model tells of itself as JSON values: strings as text, and words in place of too many values."""
    if array.size > MOST_TOLD:
        return f"({array.size} values of {array.dtype}, which are not shown)"
    if array.dtype.kind == "O":  # words about a model are for reading
        return _nested(array, lambda item: item.decode(errors="replace"))
    return json_values(array)


def _short(value: object) -> float:
    """The short decimal of a float32, not the 17 digits of its double."""
    return float(str(value))


def _nested(array: NDArray[Any], convert: Callable[[Any], Any]) -> Any:
    flat = np.empty(array.size, object)
    flat[:] = [convert(item) for item in array.ravel()]
    return flat.reshape(array.shape).tolist()


def _json_string(item: bytes) -> Any:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(item).decode()}


def _text(item: bytes) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return f"({len(item):,} bytes)"


def _range(array: NDArray[Any]) -> str:
    if array.dtype.kind == "b":
        return f"{int(np.count_nonzero(array)):,} of {array.size:,} true"
    if array.dtype.kind == "c":
        return f"{array.size:,} values"
    numbers = array.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    lost = array.size - finite.size
    words = [f"{lost:,} of {array.size:,} not finite"] if lost else []
    if finite.size:
        words.append(f"from {finite.min():g} to {finite.max():g}, mean {finite.mean():g}")
    return ", ".join(words)
