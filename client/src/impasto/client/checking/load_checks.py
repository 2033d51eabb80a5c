"""Checks of a model's speed: its first call, the time of a megapixel or a step, calls at once, and a tile's answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

import numpy as np

from impasto.client import errors
from impasto.client.checking.findings import Finding, failed, passed, skipped, warned
from impasto.client.checking.model_checks import call_all
from impasto.client.checking.probe import Answer, first_line
from impasto.client.checking.samples import (
    SIDE,
    UNSUITABLE,
    Inputs,
    optimize_inputs,
    output,
    picture,
    serving_inputs,
)
from impasto.client.checking.subject import Subject
from impasto.client.signatures import DREAM, SERVING_DEFAULT, STYLE_SIDE, STYLIZE, TRANSFER, UPSCALE

_MANY_STEPS: Final = 5
_LARGE_SIDE: Final = 512
"""The side, in pixels, of the tiles that most upscalers are sent."""
_COLD_SECONDS: Final = 2.0
_COLD_TIMES: Final = 10


def warm(subject: Subject) -> Iterator[Finding]:
    """Repeat the calls of all signatures, and compare the first seconds with the next. Keeps the answers."""
    subject.again.update((name, end) for name, end in call_all(subject) if isinstance(end, Answer))
    both = [
        (subject.answers[name].seconds, again.seconds, name)
        for name, again in subject.again.items()
        if name in subject.answers
    ]
    if both:
        yield judged_warm(*max(both, key=lambda one: one[0] - one[1]))


def judged_warm(first: float, later: float, signature: str) -> Finding:
    """Judge the seconds of the first call of a signature and of a later, equal one."""
    words = f"first call of {signature} {1000 * first:.0f} ms, the next one {1000 * later:.0f} ms"
    if first > later + _COLD_SECONDS and first > _COLD_TIMES * later:
        return warned(
            "warm",
            words,
            "--enable_model_warmup=true, with warm-up records in the version: exporters write them, and for others' "
            "models impasto-export repository publish --warm-up",
        )
    return passed("warm", words)


def latency(subject: Subject) -> Finding:
    """Measure the seconds of a megapixel, or of a step."""
    if subject.contract is None:
        return skipped("latency", "not known what of a call takes time; see warm")
    if subject.contract in (UPSCALE, STYLIZE):
        return passed("latency", _of_a_megapixel(subject, subject.contract.name))
    signature, stepping = _stepping(subject)
    one, many = (
        min(subject.call(signature, {**stepping, "steps": np.int32(steps)}).seconds for _ in range(2))
        for steps in (1, _MANY_STEPS)
    )
    step = max(many - one, 0.0) / (_MANY_STEPS - 1)
    height, width = subject.size()
    return passed(
        "latency",
        f"{1000 * step:.1f} ms a step at {width}x{height} px, and {1000 * max(one - step, 0.0):.0f} ms a call",
    )


def _of_a_megapixel(subject: Subject, contract: str) -> str:
    """Call serving_default twice, and tell the shorter time. Raises CallError."""
    side = max(STYLE_SIDE // 2 if subject.options.quick else STYLE_SIDE, *subject.size())
    inputs = serving_inputs(contract, side, side)
    seconds = min(subject.call(SERVING_DEFAULT, inputs).seconds for _ in range(2))
    by = f", {subject.factors()[SERVING_DEFAULT]} times as large" if subject.contract is UPSCALE else ""
    return (
        f"{seconds / (side * side / 1e6):.2f} s a megapixel sent{by} ({1000 * seconds:.0f} ms at {side} px)"
    )


def at_once(subject: Subject) -> Finding:
    """Send many calls at once, of two sizes, and see how many are taken."""
    some = _of_two_sizes(subject)
    count = subject.options.concurrency
    if not some:
        return skipped("at once", "no inputs are known for serving_default")
    sent = list(islice(cycle(some), count))
    ends = subject.probe.at_once(subject.model, SERVING_DEFAULT, sent, subject.kind)
    failures = [end for end in ends if isinstance(end, errors.CallError)]
    subject.errors += failures
    refused = [error for error in failures if type(error) is errors.ServerOverloaded]
    if refused:
        return warned(
            "at once",
            f"of {count} calls at once {len(refused)} were refused ({first_line(refused[0])}): "
            f"it takes about {count - len(failures)}",
            "--grpc_max_threads=256",
        )
    others = [
        error for error in failures if not isinstance(error, errors.BatchMismatch | errors.NotBatchable)
    ]
    if others and subject.contract is None and isinstance(others[0], UNSUITABLE):
        return skipped("at once", f"invented inputs do not suit it ({first_line(others[0])})")
    if others:
        return failed("at once", f"of {count} calls at once {len(others)} failed: {others[0]}")
    return passed("at once", f"{count - len(failures)} calls at once were answered")


def message_size(subject: Subject) -> Iterator[Finding]:
    """Check that an answer as large as a tile's comes through."""
    asked = _large(subject)
    if asked is None:
        return
    try:
        answer = subject.call(*asked)
    except errors.MessageTooLarge as error:
        yield failed(
            "message size",
            f"the answer of a tile does not come through: {first_line(error)}",
            "IMPASTO_MAX_MESSAGE_BYTES (max_message_bytes) here, or the limit of a proxy between",
        )
        return
    except errors.InvalidInput as error:
        yield skipped("message size", f"the model takes no picture of a tile's size: {first_line(error)}")
        return
    yield passed("message size", f"an answer of {answer.bytes / 1e6:.1f} MB came in {answer.seconds:.2f} s")


def _of_two_sizes(subject: Subject) -> list[Inputs]:
    """Inputs of quick calls, for pictures of two sizes."""
    if subject.contract is None:
        small = subject.serving_inputs()
        return [] if small is None else [small]
    height, width = subject.size()
    return [serving_inputs(subject.contract.name, height, side) for side in (width, width + 8)]


def _large(subject: Subject) -> tuple[str, Inputs] | None:
    """A signature and inputs whose answer is as large as a tile's, and is quickly computed; None for others' models."""
    if subject.contract is None:
        return None
    size = np.array([_LARGE_SIDE, _LARGE_SIDE], np.int32)
    if subject.contract is DREAM:
        return "open", {"image": picture(SIDE, SIDE), "size": size}
    if subject.contract is TRANSFER:
        return "resize", {"image": np.zeros((SIDE, SIDE, 3), np.float32), "size": size}
    if subject.contract is UPSCALE:
        factors = subject.factors()
        signature, side = max(factors, key=lambda name: factors[name]), max(subject.told("tile"), 1)
        return signature, serving_inputs(UPSCALE.name, side, side)
    return SERVING_DEFAULT, serving_inputs(subject.contract.name, _LARGE_SIDE, _LARGE_SIDE)


def _stepping(subject: Subject) -> tuple[str, Inputs]:
    """The signature that takes the steps of a dream or a transfer, and inputs for it. Raises CallError."""
    if subject.contract is DREAM:
        return "ascend", {"state": output(subject.opened(), "state")}
    return "optimize", optimize_inputs(subject.opened())
