"""Checks of what must hold on every processor, whatever the weights are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.client.checking.comparing import are_equal, differences
from impasto.client.checking.findings import Finding, failed, passed, skipped, warned
from impasto.client.checking.probe import Outputs
from impasto.client.checking.samples import NONE, ONE, TWO, Inputs, optimize_inputs, output
from impasto.client.checking.subject import Subject
from impasto.client.signatures import DREAM, SERVING_DEFAULT, STYLIZE, TRANSFER, UPSCALE

_REPEATABLE: Final = "TF_DETERMINISTIC_OPS=1 in the server's environment"
_EQUAL: Final = "the same call twice gives equal bits"
_ROUNDING: Final = 2
"""Levels of 255 that going to floats and back may cost a pixel."""

_FLATNESS: Final = 6
"""Levels by which an enlarged picture of one colour may differ from that colour."""


def repeated(subject: Subject) -> Iterator[Finding]:
    """Compare the bits that the same calls gave; of dream and transfer also two chunks of steps with one call."""
    if subject.contract in (DREAM, TRANSFER):
        yield from _steps_repeated(subject)
        return
    both = [name for name in subject.answers if name in subject.again]
    for name in both:
        once, again = subject.answers[name].outputs, subject.again[name].outputs
        if not are_equal(once, again):
            yield _judged_repeat([once, again], _REPEATABLE if subject.contract is not None else "")
            return
    yield passed("repeat", _EQUAL) if both else skipped("repeat", "no call was answered twice")


def _judged_repeat(outputs: list[Outputs], remedy: str = _REPEATABLE) -> Finding:
    if are_equal(*outputs):
        return passed("repeat", _EQUAL)
    told = "; ".join(difference.words for difference in differences(*outputs))
    return warned("repeat", f"the same call twice gives different results: {told}", remedy)


def _steps_repeated(subject: Subject) -> Iterator[Finding]:
    signature, first, then = _dreams(subject) if subject.contract is DREAM else _transfers(subject)
    once, again = (subject.call(signature, {**first, "steps": TWO}).outputs for _ in range(2))
    yield _judged_repeat([once, again])
    if not are_equal(once, again):
        yield skipped("chunks", "two chunks cannot equal one call where no call equals itself")
        return
    half = subject.call(signature, {**first, "steps": ONE}).outputs
    chunked = subject.call(signature, {**then(half), "steps": ONE}).outputs
    if are_equal(once, chunked):
        yield passed("chunks", "two chunks of a step equal one call of two")
    else:
        told = "; ".join(difference.words for difference in differences(once, chunked))
        yield failed("chunks", f"two chunks of a step differ from one call of two: {told}", _REPEATABLE)


_Then: TypeAlias = Callable[[Outputs], Inputs]
"""Makes the second chunk's inputs of the first one's outputs."""


def _dreams(subject: Subject) -> tuple[str, Inputs, _Then]:
    state = output(subject.opened(), "state")

    def then(half: Outputs) -> Inputs:
        return {"state": output(half, "state"), "first_step": ONE}

    return "ascend", {"state": state}, then


def _transfers(subject: Subject) -> tuple[str, Inputs, _Then]:
    first = optimize_inputs(subject.opened())

    def then(half: Outputs) -> Inputs:
        return {**first, **{name: output(half, name) for name in ("image", "m", "v", "iteration")}}

    return "optimize", first, then


def unchanged(subject: Subject) -> Iterator[Finding]:
    """Check that no steps give the picture back, and a picture of one colour stays so."""
    if subject.contract is UPSCALE:
        yield from _flat(subject)
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
        image = output(subject.call(signature, {"image": flat}).outputs, "image")
        if image.shape != (1, factor * height, factor * width, 3) or image.dtype != np.uint8:
            told = f"{signature}: a picture of {width}x{height} px became {image.dtype} {list(image.shape)}"
            yield failed("flat", f"{told}, not {factor} times as large")
            return
        gaps.append(_gap(colour, image))
    words = f"a picture of one colour keeps it within {max(gaps)} of 255 levels, {', '.join(factors)}"
    yield (
        passed("flat", words)
        if max(gaps) <= _FLATNESS
        else failed("flat", f"{words}; {_FLATNESS} are allowed")
    )


def _two_ways(subject: Subject) -> Finding:
    inputs = _inputs(subject)
    at_once = output(subject.call(SERVING_DEFAULT, inputs).outputs, "image")
    vector = output(subject.call("style_vector", {"style": inputs["style"]}).outputs, "vector")
    image = output(subject.call("apply", {"content": inputs["content"], "vector": vector}).outputs, "image")
    return _judged_gap("two ways", "style_vector and apply against serving_default", at_once, image)


def _no_steps(subject: Subject) -> Finding:
    inputs: Inputs = {**_inputs(subject), "steps": NONE}
    image = output(subject.call(SERVING_DEFAULT, inputs).outputs, "image")
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


def _inputs(subject: Subject) -> Inputs:
    """The inputs of the contract's serving_default. Raises CallError."""
    inputs = subject.serving_inputs()
    assert inputs is not None, "the contract's are known"
    return inputs
