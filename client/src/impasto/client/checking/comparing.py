"""Comparing arrays: equal bits, or near enough for another processor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PIXEL_LEVELS: Final = 8
"""Levels of 255 by which a uint8 value may differ on another processor; stylize with TF32 differs by 3."""

OUTLIERS: Final = 0.01
"""The part of an output's values that may differ by more: steps magnify small differences."""

PIXEL_MEAN: Final = 1.0
"""Levels by which the values of a uint8 output may differ in the mean."""

FLOAT_SHARE: Final = 0.02
"""The part of an output's largest value by which a float may differ; a step of dream with TF32 differs by 0.0075."""

_SHARES: Final = {"float64": 1e-6, "float32": FLOAT_SHARE}
_COARSE_SHARE: Final = 0.06
"""For types of fewer than 12 bits of precision: float16, bfloat16 and the 8-bit floats."""

TOLERANCES: Final = (
    f"uint8 within {PIXEL_LEVELS} of 255 levels, and {PIXEL_MEAN:g} in the mean; float32 within {FLOAT_SHARE:.0%} of "
    f"the output's largest value, float64 within a millionth, floats of 16 and 8 bits within {_COARSE_SHARE:.0%}; "
    f"but for {OUTLIERS:.0%} of the values; all else equal"
)
"""The tolerances in words."""


@dataclass(frozen=True)
class Difference:
    """The difference of an output from the one expected.

    Attributes:
        words: what differs, and by how much.
        is_allowed: another processor may give it.
    """

    words: str
    is_allowed: bool


def differences(
    expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]
) -> Iterator[Difference]:
    """The differences of outputs from those expected; none if all have equal bits."""
    for name, array in expected.items():
        if name not in found:
            yield Difference(f"{name} is missing", is_allowed=False)
        elif (difference := _difference(name, array, found[name])) is not None:
            yield difference
    for name in found:
        if name not in expected:
            yield Difference(f"{name} is not expected", is_allowed=False)


def are_equal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether outputs have equal bits."""
    return not any(True for _ in differences(one, other))


def _difference(name: str, expected: NDArray[Any], found: NDArray[Any]) -> Difference | None:
    if expected.dtype != found.dtype or expected.shape != found.shape:
        kinds = [f"{array.dtype}{list(array.shape)}" for array in (found, expected)]
        return Difference(f"{name} is {kinds[0]}, not {kinds[1]}", is_allowed=False)
    if _bits(expected) == _bits(found):
        return None
    if expected.dtype.name == "uint8":
        return _of_pixels(name, expected, found)
    share = _SHARES.get(expected.dtype.name, _COARSE_SHARE)
    if expected.dtype.kind == "f" or "float" in expected.dtype.name:
        return _of_floats(name, expected.astype(np.float64), found.astype(np.float64), share)
    return Difference(f"{name} has other values", is_allowed=False)


def _bits(array: NDArray[Any]) -> Any:
    return array.tolist() if array.dtype.kind == "O" else array.tobytes()


def _of_pixels(name: str, expected: NDArray[Any], found: NDArray[Any]) -> Difference:
    gaps = np.abs(expected.astype(np.int16) - found)
    largest, mean = int(gaps.max()), float(gaps.mean())
    return Difference(
        f"{name} differs by at most {largest} of 255 levels, {mean:.2g} in the mean",
        is_allowed=float((gaps > PIXEL_LEVELS).mean()) <= OUTLIERS and mean <= PIXEL_MEAN,
    )


def _of_floats(
    name: str, expected: NDArray[np.float64], found: NDArray[np.float64], share: float
) -> Difference | None:
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(found)) or not np.array_equal(
        expected[~finite], found[~finite], equal_nan=True
    ):
        return Difference(f"{name} has infinite or undefined values elsewhere", is_allowed=False)
    if not finite.any():
        return None
    with np.errstate(over="ignore"):
        gaps = np.abs(expected[finite] - found[finite])
        largest = float(gaps.max())
        scale = max(float(np.abs(expected[finite]).max()), float(np.finfo(np.float32).tiny))
    if largest == 0:  # zeros of different signs
        return None
    return Difference(
        f"{name} differs by at most {largest:.2g}, {largest / scale:.2g} of its largest value",
        is_allowed=float((gaps > share * scale).mean()) <= OUTLIERS and float(gaps.mean()) <= share * scale,
    )
