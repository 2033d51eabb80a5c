"""The part of a long job that one call does: long enough for what each call costs, short enough to be watched.

A call takes `fixed + step * steps` seconds. The fixed part is the way of the picture to the server and back, and what
the server does for any call: it should be a small part of the job. On the other hand each answer is a sign of life, and
a place to stop, to show a picture and to go on from.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

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


class Measure(NamedTuple):
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


SIGN_OF_LIFE: Final = 10.0
"""An answer comes at least every so many seconds, unless one step takes longer."""

# What is planned: estimates err.
_LONGEST: Final = 0.9 * SIGN_OF_LIFE

# Where calls cost little, more of them are nicer to watch.
_SHORTEST: Final = 1.0

_FIXED_SHARE: Final = 1 / 20
_FIXED_SHARE_WATCHED: Final = 1 / 2

# For divisions of floats.
_MANY: Final = 1e12
_ROUNDING: Final = 1e-6

_TIMEOUT_SHARE: Final = 1 / 3
_TIMEOUT_SHARE_AT_WORST: Final = 1 / 2

# The fixed part is known well enough if it cannot be so many times what it seems to be; and a call of so many times the
# steps of the last one tells as much as one without steps.
_WELL_KNOWN: Final = 1.5
_TELLING: Final = 4


class Pace:
    """Sizes chunks by what the calls before them cost.

    What is known of one size serves for the next: steps may take time in proportion to the pixels, and so may the way
    of a picture, unless calls that only open a size tell more.

    Args:
        timeout: seconds after which a call is given up; None for never.
        clock: gives the time in seconds.
    """

    def __init__(self, *, timeout: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = math.inf if timeout is None else timeout
        self._clock = clock
        self._started = clock()
        self._disturbed = False
        self._pixels = 1
        self._costs = CallCosts()
        self._opening: float | None = None
        self._seen: set[int] = set()
        self._probed: set[int] = set()
        self._rate: float | None = None
        self._learnt = 0

    def steps(self, pixels: int, *, most: int, watched: bool = False) -> int:
        """Return the number of steps that the next chunk takes: 1 to `most`, and 1 before anything is known.

        Args:
            pixels: of the picture at its size.
            most: the number of steps that are wanted, at least 1.
            watched: somebody looks at the pictures on the way, and wants more of them.
        """
        costs = self._costs_at(pixels)
        count = self._planned(costs, watched=watched)
        longest = costs.longest_step()
        if longest is not None:
            count = min(count, _fitting(_TIMEOUT_SHARE_AT_WORST * self._timeout, longest))
        count = max(1, min(most, count))
        return math.ceil(most / math.ceil(most / count))  # all alike, rather than a short one at the end

    def should_probe(self, pixels: int, *, most: int) -> bool:
        """Tell whether a call without steps is worth its time: whether the fixed part is unknown and may matter.

        Args:
            pixels: of the picture at its size.
            most: the number of steps that are wanted.
        """
        costs = self._costs_at(pixels)
        if costs.measured or pixels in self._probed or not costs.latest_steps():
            return False
        planned = self._planned(costs, watched=False)
        if planned >= min(most, _TELLING * costs.latest_steps()):
            return False
        known = max(_WELL_KNOWN * costs.fixed, _FIXED_SHARE * max(_SHORTEST, costs.seconds(planned)))
        return costs.most_fixed() > known

    def seconds(self, pixels: int, steps: int, *, others: int = 0) -> float | None:
        """Return what a call will take, and `others` without steps before it; None before anything is known."""
        costs = self._costs_at(pixels)
        return None if costs.step is None else costs.seconds(steps) + others * costs.fixed

    def seconds_left(self, work: int) -> float | None:
        """Return the seconds that so much work, steps times pixels, will take; None before anything is known."""
        return None if self._rate is None else self._rate * work

    def start(self) -> None:
        """A call begins."""
        self._started = self._clock()
        self._disturbed = False

    def disturb(self) -> None:
        """The call has to be sent again: how long it takes says nothing about others."""
        self._disturbed = True

    def opened(self, pixels: int) -> None:
        """The call is over: one without steps, which moves a picture of this size."""
        if self._disturbed:
            return
        seconds = self._clock() - self._started
        costs, before = self._costs_at(pixels), self._opening
        if not costs.measured:
            costs = CallCosts(seconds, costs.step)
        elif before and pixels != self._pixels:
            least, most = sorted((1.0, pixels / self._pixels))
            fixed = self._costs.fixed * min(max(seconds / before, least), most)
            costs = CallCosts(fixed, costs.step, measured=True)
        self._costs, self._pixels, self._opening = costs, pixels, seconds

    def probed(self, pixels: int) -> None:
        """The call is over: a chunk of no steps."""
        self._probed.add(pixels)
        if not self._disturbed:
            self._costs_at(pixels).learn_fixed(self._clock() - self._started)

    def stop(self, pixels: int, steps: int) -> None:
        """The call is over: a chunk of so many steps."""
        first = pixels not in self._seen
        self._seen.add(pixels)
        if self._disturbed:
            return
        self._costs, self._pixels = self._costs_at(pixels), pixels
        self._learnt += not first
        self._costs.learn(steps, self._clock() - self._started, first=first)
        usual = self._planned(self._costs, watched=False)
        rate = self._costs.seconds(usual) / (usual * pixels)
        # It should not jump with each chunk; but what the first call says is soon forgotten.
        self._rate = rate if self._rate is None or self._learnt < 2 else (self._rate + rate) / 2

    def _costs_at(self, pixels: int) -> CallCosts:
        """Return the costs at a size: where there was no call yet, what the last size suggests."""
        costs = self._costs
        if pixels == self._pixels:
            return costs
        # At a smaller size neither need be less: small pictures may be all overhead.
        ratio = max(1.0, pixels / self._pixels)
        fixed = costs.fixed * ratio if costs.measured or costs.guessed else None
        step = None if costs.step is None else costs.step * ratio
        return CallCosts(fixed, step, measured=costs.measured)

    def _planned(self, costs: CallCosts, *, watched: bool) -> int:
        """Return the steps of a call that is as long as it should be."""
        step, fixed = costs.cautious_step(), costs.fixed
        if step is None:
            return 1
        share = _FIXED_SHARE_WATCHED if watched else _FIXED_SHARE
        # Where the way alone takes longer than signs of life should, half of the time is worked.
        longest = _LONGEST if fixed < _LONGEST else fixed / _FIXED_SHARE_WATCHED
        longest = min(longest, _TIMEOUT_SHARE * self._timeout)
        enough = math.ceil(min(fixed * (1 / share - 1) / step, _MANY) - _ROUNDING)
        return max(1, min(max(enough, _fitting(_SHORTEST - fixed, step)), _fitting(longest - fixed, step)))


def _fitting(seconds: float, step: float) -> int:
    return int(min(seconds / step, _MANY) + _ROUNDING)
