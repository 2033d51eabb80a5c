"""Check what people give to jobs, naming the parameter, its value and what it must be; and tell pictures apart."""

from __future__ import annotations

import hashlib
import math
import operator
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import InvalidInput
from impasto.client.pictures import Picture

LARGEST_INT32: Final = 2**31 - 1
MOST_STEPS: Final = 1_000_000_000
"""The most steps of a long job at each size."""

_PICTURES: Final[tuple[type, ...]] = (str, bytes, bytearray, memoryview, Image.Image, np.ndarray, Picture)

_CONVERSIONS: Final = {
    "getvalue": ": {name}.getvalue() has a file's bytes",
    "read": ": {name}.read() has a file's bytes",
    "__array__": ": numpy.asarray({name}) makes an array",
}
"""Remedies by an attribute that what is no picture has."""

EntryT = TypeVar("EntryT")


def several(given: EntryT | Sequence[EntryT]) -> tuple[EntryT, ...]:
    """Return what a caller gave as one entry or as any sequence of them; text and bytes are an entry each."""
    return tuple(cast(Sequence[EntryT], given)) if _is_several(given) else (cast(EntryT, given),)


def names(parameter: str, given: Any) -> tuple[str, ...]:
    """Return the names that a caller gave: one, or any collection of them.

    Raises:
        InvalidInput: one of them is no text; names `parameter`.
    """
    if isinstance(given, str):
        return (given,)
    try:
        found = tuple(given)
    except TypeError as error:
        raise InvalidInput(f"{parameter} is {given!r}; it must be a list of names") from error
    for name in found:
        if not isinstance(name, str):
            raise InvalidInput(f"{parameter} is {given!r}; it must be a list of names, each a text")
    return found


def one_of(name: str, value: Any, known: Collection[str]) -> str:
    """Return the value, if it is one of the words `known`. Raises InvalidInput, which names `name`."""
    if not isinstance(value, str) or value not in known:
        raise InvalidInput(f"{name} is {value!r}; it must be {' or '.join(map(repr, known))}")
    return value


def whole(name: str, value: Any, least: int, most: int) -> int:
    """Return the value, if it is a whole number from `least` to `most`. Raises InvalidInput, which names `name`."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InvalidInput(f"{name} is {value!r}; it must be a whole number") from error
    if not least <= number <= most:
        raise InvalidInput(f"{name} is {number}; it must be {least} to {most}")
    return number


def real(name: str, value: Any, least: float, most: float) -> float:
    """Return the value, if as the float32 that is sent it is from `least` to `most`.

    Raises:
        InvalidInput: it is not, or no number; names `name`.
    """
    try:
        number = float(_not_text(value))
    except OverflowError:  # a whole number beyond all floats
        number = math.inf if value > 0 else -math.inf
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is {value!r}; it must be a number") from error
    if not np.float32(least) <= _as_float32(number) <= np.float32(most):  # false for NaN as well
        raise InvalidInput(f"{name} is {number}; it must be {least:g} to {most:g}")
    return number


class Range(NamedTuple):
    """The numbers that a job's field takes.

    Attributes:
        least: the least one.
        most: the largest one.
        whole: only whole numbers.
        optional: or None, which stands for what the model suggests.
    """

    least: float
    most: float
    whole: bool = False
    optional: bool = False

    def check(self, name: str, value: Any) -> float | None:
        """Return the value of the field `name`. Raises InvalidInput."""
        if value is None and self.optional:
            return None
        if self.whole:
            return whole(name, value, int(self.least), int(self.most))
        return real(name, value, self.least, self.most)


def within(ranges: Mapping[str, Range], job: object) -> dict[str, Any]:
    """Return the fields of a job that have a range. Raises InvalidInput, which names the first that is out of it."""
    return {name: allowed.check(name, getattr(job, name)) for name, allowed in ranges.items()}


def sent(number: float) -> float:
    """Return the float32 that a number becomes when it is sent."""
    return float(_as_float32(number))


def flag(name: str, value: Any) -> bool:
    """Return the value, if it is true or false. Raises InvalidInput, which names `name`."""
    if type(value) not in (bool, np.bool_):
        raise InvalidInput(f"{name} is {value!r}; it must be True or False")
    return bool(value)


def shares(weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """Return the weights of `count` styles as parts of their sum; equal ones for None.

    Raises:
        InvalidInput: there are not as many, one is negative or no number, or all are zero.
    """
    if weights is None:
        return (1 / count,) * count
    if len(weights) != count:
        raise InvalidInput(f"weights: {len(weights)} weights for {count} styles: give one for each")
    for weight in weights:
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidInput(f"weights: weight {weight:g} of a style: it must be 0 or more")
    total = math.fsum(weights)
    if total == 0:
        raise InvalidInput("weights: the weights of the styles sum to zero: make at least one positive")
    return tuple(weight / total for weight in weights)


def style_weights(weights: Any, count: int) -> tuple[float, ...] | None:
    """Return the weights of `count` styles as numbers. Raises InvalidInput as `shares` does."""
    if weights is None:
        return None
    try:
        numbers = tuple(float(_not_text(weight)) for weight in _not_text(weights))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"weights is {weights!r}; it must be numbers, one for each style") from error
    shares(numbers, count)
    return numbers


def styles_of(given: Any, *, kind: str, also: tuple[type, ...] = ()) -> Any:
    """Return one style, or a tuple of several, as a job keeps pictures.

    Args:
        given: as the caller gave them.
        kind: what a style is, for the message that there is none.
        also: the types that are a style beside pictures.

    Raises:
        InvalidInput: there is none, or one is no picture.
    """
    kept = tuple(style if isinstance(style, also) else picture("style", style) for style in several(given))
    if not kept:
        raise InvalidInput(f"style is an empty list: give at least one {kind}")
    return kept if _is_several(given) else kept[0]


def picture(name: str, value: Any) -> Any:
    """Return a picture as a job keeps it: a path as text, and anything else as it is.

    Raises:
        InvalidInput: it is no picture; names `name`.
    """
    if isinstance(value, os.PathLike):
        return os.fsdecode(cast("os.PathLike[str]", value))
    if not isinstance(value, _PICTURES):
        remedy = _CONVERSIONS.get(next((way for way in _CONVERSIONS if hasattr(value, way)), ""), "")
        raise InvalidInput(
            f"{name} is a {type(value).__name__}; it must be a path, a file's bytes, a PIL image or a uint8 array"
            + remedy.format(name=name)
        )
    if isinstance(value, Image.Image) and _is_closed(value):
        raise InvalidInput(
            f"{name} is a PIL image that is closed: give it before it is closed, or the path of its file"
        )
    return cast(Any, value)


def digest(pixels: NDArray[Any]) -> str:
    """Return the shape and the hash of an array: the same for two that are equal."""
    shape = "x".join(map(str, pixels.shape))
    return f"{shape} {hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()}"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, or hours too: `0:07`, `1:02:30`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_closed(image: Image.Image) -> bool:
    """Return whether a PIL image has neither pixels nor a file to read them from."""
    file = getattr(image, "fp", None)
    if file is not None:
        # What has been decoded has no tiles left. Other than Python's files may not know whether they are closed.
        return bool(getattr(image, "tile", None)) and bool(getattr(file, "closed", False))
    try:
        image.load()  # which without a file has nothing to read
    except (AttributeError, OSError, ValueError):
        return True
    return False


def _is_several(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray | memoryview)


def _as_float32(number: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(number)


def _not_text(value: Any) -> Any:
    """Return the value. Raises TypeError if it is a text, of which Python would make numbers."""
    if isinstance(value, str | bytes):
        raise TypeError("a text is no number")
    return value
