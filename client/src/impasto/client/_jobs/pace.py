"""The part of a long job that one call does: long enough for what each call costs, short enough to be watched.

A call takes `fixed + step * steps` seconds. The fixed part is the way of the picture to the server and back, and what
the server does for any call: it should be a small part of the job. On the other hand each answer is a sign of life, and
a place to stop, to show a picture and to go on from.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from impasto.client._jobs.costs import CallCosts

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
