"""Check the numbers that people give to jobs, and tell pictures apart."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client.errors import InvalidInput

EntryT = TypeVar("EntryT")


def several(given: EntryT | Sequence[EntryT]) -> tuple[EntryT, ...]:
    """What a caller gave as one entry or as any sequence of them; text and bytes are an entry each."""
    if isinstance(given, Sequence) and not isinstance(given, str | bytes | bytearray | memoryview):
        return tuple(cast(Sequence[EntryT], given))
    return (cast(EntryT, given),)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """The value, if it is a whole number from `least` to `most`. Raises InvalidInput, which names `name`."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise InvalidInput(f"{name} is {value!r}; it must be a whole number") from error
    if not least <= number <= most:
        raise InvalidInput(f"{name} is {number}; it must be {least} to {most}")
    return number


def real(name: str, value: Any, least: float, most: float) -> float:
    """The value as a float32, which is what is sent, if it is from `least` to `most`.

    Raises:
        InvalidInput: it is not, or no number; names `name`.
    """
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond all floats
        number = math.inf if value > 0 else -math.inf
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is {value!r}; it must be a number") from error
    with np.errstate(over="ignore"):
        sent = np.float32(number)
    if not np.float32(least) <= sent <= np.float32(most):  # false for NaN as well
        raise InvalidInput(f"{name} is {number}; it must be {least:g} to {most:g}")
    return float(sent)


def either(asked: Any, suggested: Any) -> Any:
    """What is asked for, or if that is None what is suggested."""
    return suggested if asked is None else asked


def digest(pixels: NDArray[Any]) -> str:
    """Shape and hash of an array: the same for two that are equal."""
    shape = "x".join(map(str, pixels.shape))
    return f"{shape} {hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()}"


def clock(seconds: float) -> str:
    """A duration as minutes and seconds, or hours too: `0:07`, `1:02:30`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
