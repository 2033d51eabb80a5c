"""Checks of what must hold on every processor, whatever the weights are; and the comparison of arrays for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs.values import LARGEST_INT32
from impasto.client.checking import samples
from impasto.client.checking.probe import Outputs
from impasto.client.checking.subject import Finding, Subject, failed, passed, skipped, warned
from impasto.client.signatures import DREAM, SERVING_DEFAULT, STYLIZE, TRANSFER, UPSCALE

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


def _are_equal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
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


_REPEATABLE: Final = "TF_DETERMINISTIC_OPS=1 in the server's environment"
_EQUAL: Final = "the same call twice gives equal bits"
_ROUNDING: Final = 2
"""Levels of 255 that going to floats and back may cost a pixel."""

_LAST_BIT: Final = 1
"""Levels of 255 by which a tile may differ from the whole: some processors sum in another order for another size."""

_FLATNESS: Final = 12
"""Levels by which an enlarged picture of one colour usually differs from that colour at most."""

_DISCOLOURED: Final = 48
"""Levels that no network for photos is away by: channels in another order, or another range, are."""


def repeated(subject: Subject) -> Iterator[Finding]:
    """Compare the bits that the same calls gave; of dream and transfer also two chunks of steps with one call."""
    if subject.contract in (DREAM, TRANSFER):
        yield from _steps_repeated(subject)
        return
    both = [name for name in subject.answers if name in subject.again]
    for name in both:
        once, again = subject.answers[name].outputs, subject.again[name].outputs
        if not _are_equal(once, again):
            yield _judged_repeat([once, again], _REPEATABLE if subject.contract is not None else "")
            return
    yield passed("repeat", _EQUAL) if both else skipped("repeat", "no call was answered twice")


def _judged_repeat(outputs: list[Outputs], remedy: str = _REPEATABLE) -> Finding:
    if _are_equal(*outputs):
        return passed("repeat", _EQUAL)
    told = "; ".join(difference.words for difference in differences(*outputs))
    return warned("repeat", f"the same call twice gives different results: {told}", remedy)


def _steps_repeated(subject: Subject) -> Iterator[Finding]:
    signature, first, then = _dreams(subject) if subject.contract is DREAM else _transfers(subject)
    once, again = (subject.call(signature, {**first, "steps": samples.TWO}).outputs for _ in range(2))
    yield _judged_repeat([once, again])
    if not _are_equal(once, again):
        yield skipped("chunks", "two chunks cannot equal one call where no call equals itself")
        return
    half = subject.call(signature, {**first, "steps": samples.ONE}).outputs
    chunked = subject.call(signature, {**then(half), "steps": samples.ONE}).outputs
    if _are_equal(once, chunked):
        yield passed("chunks", "two chunks of a step equal one call of two")
    else:
        told = "; ".join(difference.words for difference in differences(once, chunked))
        yield failed("chunks", f"two chunks of a step differ from one call of two: {told}", _REPEATABLE)


_Then: TypeAlias = Callable[[Outputs], samples.Inputs]
"""Makes the second chunk's inputs of the first one's outputs."""


def _dreams(subject: Subject) -> tuple[str, samples.Inputs, _Then]:
    state = samples.output(subject.opened(), "state")

    def then(half: Outputs) -> samples.Inputs:
        return {"state": samples.output(half, "state"), "first_step": samples.ONE}

    return "ascend", {"state": state}, then


def _transfers(subject: Subject) -> tuple[str, samples.Inputs, _Then]:
    first = samples.optimize_inputs(subject.opened())

    def then(half: Outputs) -> samples.Inputs:
        return {**first, **{name: samples.output(half, name) for name in ("image", "m", "v", "iteration")}}

    return "optimize", first, then


def unchanged(subject: Subject) -> Iterator[Finding]:
    """Check that no steps give the picture back, and a picture of one colour stays so."""
    if subject.contract is UPSCALE:
        yield from _flat(subject)
        yield from _tiles(subject)
    elif subject.contract is STYLIZE and "apply" in subject.metadata.signatures:
        yield _two_ways(subject)
    elif subject.contract in (DREAM, TRANSFER):
        yield _no_steps(subject)


def _flat(subject: Subject) -> Iterator[Finding]:
    """Enlarge a picture of one colour by each factor that the model has."""
    colour = np.array([200, 40, 90], np.uint8)
    height, width = subject.size()
    flat = np.broadcast_to(colour, (1, height, width, 3))
    factors = subject.factors()
    gaps: list[int] = []
    for signature, factor in factors.items():
        image = samples.output(subject.call(signature, {"image": flat}).outputs, "image")
        if image.shape != (1, factor * height, factor * width, 3) or image.dtype != np.uint8:
            told = f"{signature}: a picture of {width}x{height} px became {image.dtype} {list(image.shape)}"
            yield failed("flat", f"{told}, not {factor} times as large")
            return
        gaps.append(_gap(colour, image))
    words = f"a picture of one colour keeps it within {max(gaps)} of 255 levels, {', '.join(factors)}"
    if max(gaps) > _DISCOLOURED:
        yield failed("flat", f"{words}; {_FLATNESS} are usual, and no network means more than {_DISCOLOURED}")
    elif max(gaps) > _FLATNESS:
        yield warned("flat", f"{words}; {_FLATNESS} are usual")
    else:
        yield passed("flat", words)


def _tiles(subject: Subject) -> Iterator[Finding]:
    """Compare the left part of a picture, enlarged with the overlap that describe tells, with the whole enlarged."""
    overlap = subject.told("overlap")
    if overlap < subject.told("reach", most=LARGEST_INT32):
        yield skipped("tiles", "the network looks farther than a tile's overlap, so tiles are blended")
        return
    height, width = subject.size()
    kept = width // 2
    # Beyond the overlap there is more of the picture, on which what is kept does not depend.
    pixels = samples.picture(height, kept + 2 * overlap + samples.SIDE)[np.newaxis]
    if pixels.size > 3 * subject.told("maximum_pixels", most=LARGEST_INT32):
        yield skipped("tiles", "the model takes no picture of more than a tile")
        return
    for signature, factor in subject.factors().items():
        if signature == SERVING_DEFAULT:
            continue
        whole, part = (
            samples.output(subject.call(signature, {"image": sent}).outputs, "image")[:, :, : factor * kept]
            for sent in (pixels, pixels[:, :, : kept + overlap])
        )
        fault = ""
        if whole.shape != part.shape:
            fault = f"gives {list(part.shape)} where the whole gives {list(whole.shape)}"
        elif (gap := _gap(whole, part)) > _LAST_BIT:
            fault = f"differs by {gap} of 255 levels from the whole"
        if fault:
            yield failed("tiles", f"{signature}: a tile with an overlap of {overlap} px {fault}")
            return
    yield passed("tiles", f"tiles with an overlap of {overlap} px equal the whole")


def _two_ways(subject: Subject) -> Finding:
    inputs = _inputs(subject)
    at_once = samples.output(subject.call(SERVING_DEFAULT, inputs).outputs, "image")
    vector = samples.output(subject.call("style_vector", {"style": inputs["style"]}).outputs, "vector")
    image = samples.output(
        subject.call("apply", {"content": inputs["content"], "vector": vector}).outputs, "image"
    )
    return _judged_gap("two ways", "style_vector and apply against serving_default", at_once, image)


def _no_steps(subject: Subject) -> Finding:
    inputs: samples.Inputs = {**_inputs(subject), "steps": samples.NONE}
    image = samples.output(subject.call(SERVING_DEFAULT, inputs).outputs, "image")
    sent: NDArray[Any] = inputs["image" if subject.contract is DREAM else "content"]
    return _judged_gap("no steps", "the picture after no steps against the picture", sent, image)


def _judged_gap(check: str, what: str, wanted: NDArray[Any], image: NDArray[Any]) -> Finding:
    if wanted.shape != image.shape or image.dtype != np.uint8:
        return failed(check, f"{what}: {image.dtype} {list(image.shape)}, not {list(wanted.shape)}")
    gap = _gap(wanted, image)
    words = f"{what}: at most {gap} of 255 levels"
    return passed(check, words) if gap <= _ROUNDING else failed(check, f"{words}; {_ROUNDING} are allowed")


def _gap(wanted: NDArray[Any], image: NDArray[Any]) -> int:
    return int(np.abs(wanted.astype(np.int16) - image).max(initial=0))


def _inputs(subject: Subject) -> samples.Inputs:
    """The inputs of the contract's serving_default. Raises CallError."""
    inputs = subject.serving_inputs()
    assert inputs is not None, "the contract's are known"
    return inputs
