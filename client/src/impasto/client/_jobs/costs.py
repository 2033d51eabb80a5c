"""The costs of calls at one size: `fixed + step * steps` seconds, learnt from the calls that were made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 8
"""Calls that are looked at: more would be of a server that may have changed."""

_FADING: Final = 0.7
"""The weight of each call beside the next one: two that agree outweigh all before them, one alone does not."""

_APART: Final = 1.5
"""Two calls tell what is fixed if one has so many times the steps of the other; with less, noise would tell."""

_MOST_FIXED: Final = 11 / 12
"""The most of a call's time that is taken for fixed: a wrong guess must not make the next call endless."""

_GUESS_WEIGHT: Final = 0.5
_RECENT: Final = 3
_TINY: Final = 1e-9


@dataclass(frozen=True)
class Measure:
    """The seconds that a call of so many steps took."""

    steps: int
    seconds: float

    @property
    def per_step(self) -> float:
        """The most that a step can have taken."""
        return self.seconds / self.steps


class CallCosts:
    """Learns from the calls of one size what the next ones will cost.

    The costs are the line that most of the last calls lie on, by absolute differences: a call that was held up changes
    nothing, and a server that has changed is noticed by the second call.

    The first call at a size also does what is done only once there, such as choosing kernels. So it is an upper bound
    and no measure, unless it took no longer than expected.

    Args:
        fixed: what a call without steps may take; None if nothing tells.
        step: what a step may take, rather more than less; None if nothing tells.
        measured: whether both were measured, at another size, and are no guess.

    Attributes:
        fixed: seconds that a call takes whatever its steps.
        step: seconds that a step takes; None before the first call.
        measured: whether calls of different lengths have told one from the other.
        guessed: whether `fixed` was told in the beginning.
    """

    def __init__(
        self, fixed: float | None = None, step: float | None = None, *, measured: bool = False
    ) -> None:
        self.fixed = fixed or 0.0
        self.step = step
        self.measured = measured
        self.guessed = fixed is not None
        self._first: Measure | None = None
        self._calls: deque[Measure] = deque(maxlen=_KEPT)

    def learn(self, steps: int, seconds: float, *, first: bool = False) -> None:
        """Learn from a call of at least one step.

        Args:
            steps: its steps.
            seconds: the time that it took.
            first: whether it was the first at this size.
        """
        call = Measure(steps, max(seconds, _TINY))
        expected = None if self.step is None else self.seconds(steps)
        if first:
            self._first = call
        if not first or (expected is not None and seconds <= expected):
            self._calls.appendleft(call)
            self._fit()
        elif expected is None:
            if self.fixed > call.seconds:  # a call without steps that took longer was held up
                self.fixed = 0.0
            self._take_from(call)

    def learn_fixed(self, seconds: float) -> None:
        """Learn from a call without steps, which otherwise was like the last one at this size."""
        self.fixed, self.measured = seconds, True
        if self._calls:
            self._fit()
        elif self._first is not None:
            self._take_from(self._first)

    def seconds(self, steps: int) -> float:
        """Return what a call of so many steps will take; 0 before anything is known."""
        return self.fixed + (self.step or 0.0) * steps

    def cautious_step(self) -> float | None:
        """Return a step's seconds to plan with: the longest of the last calls. None before the first call.

        So a call that meets the slower one of two replicas does not take much longer than planned.
        """
        if self.step is None:
            return None
        latest = [*self._calls][:_RECENT] or ([self._first] if self._first else [])
        return max([self.step, *((call.seconds - self.fixed) / call.steps for call in latest)])

    def longest_step(self) -> float | None:
        """Return a step's seconds if nothing is fixed; None before the first call at this size."""
        latest = self._latest()
        return None if latest is None else latest.per_step

    def most_fixed(self) -> float:
        """Return the most that the calls so far allow to be fixed."""
        if self.measured:
            return self.fixed
        calls = [*self._calls, *([self._first] if self._first else [])]
        bounds = [call.seconds for call in calls]
        bounds += [_intercept(short, long) for short in calls for long in calls if _are_apart(short, long)]
        return max(0.0, min(bounds, default=0.0))

    def latest_steps(self) -> int:
        """Return the steps of the last call at this size; 0 before the first."""
        latest = self._latest()
        return 0 if latest is None else latest.steps

    def _latest(self) -> Measure | None:
        return self._calls[0] if self._calls else self._first

    def _take_from(self, call: Measure) -> None:
        self.fixed = min(self.fixed, _MOST_FIXED * call.seconds)
        self.step = (call.seconds - self.fixed) / call.steps

    def _fit(self) -> None:
        fixed, step = min(self._lines(), key=lambda line: self._distance(*line))
        least = (1 - _MOST_FIXED) * min(call.per_step for call in self._calls)
        self.fixed, self.step = fixed, max(step, least)
        self.measured |= any(_are_apart(short, long) for short in self._calls for long in self._calls)

    def _lines(self) -> Iterator[tuple[float, float]]:
        """Give the lines that are tried, each as what is fixed and what a step takes."""
        calls = self._calls
        for call in calls:
            fixed = min(self.fixed, _MOST_FIXED * call.seconds)
            yield fixed, (call.seconds - fixed) / call.steps
        for short in calls:
            for long in calls:
                if _are_apart(short, long):
                    fixed = _intercept(short, long)
                    if 0 <= fixed < short.seconds:  # else they do not lie on a line, such as of two replicas
                        yield fixed, (short.seconds - fixed) / short.steps

    def _distance(self, fixed: float, step: float) -> float:
        """Return how far a line is from the calls; what was known of the fixed part counts as one of them."""
        total, weight = 0.0, 1.0
        for call in self._calls:
            total += weight * _difference(fixed + step * call.steps, call.seconds)
            weight *= _FADING
        if self._first is not None:
            most = self._first.seconds
            total += weight * _difference(max(most, fixed + step * self._first.steps), most)
        if self.guessed or self.measured:
            total += _GUESS_WEIGHT * abs(fixed - self.fixed) / self._calls[0].seconds
        return total


def _difference(one: float, other: float) -> float:
    """Return a difference in parts of the larger number, so that much slower and much faster count alike."""
    return abs(one - other) / max(one, other)


def _are_apart(short: Measure, long: Measure) -> bool:
    return long.steps >= _APART * short.steps


def _intercept(short: Measure, long: Measure) -> float:
    """Return the seconds of a call without steps, on the line through two calls."""
    return short.seconds - short.steps * (long.seconds - short.seconds) / (long.steps - short.steps)
