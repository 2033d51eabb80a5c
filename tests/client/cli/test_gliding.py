"""The bar of a long job moves between answers, never back and never ahead of what the answer will say."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from impasto.client import Progress
from impasto.client.cli.bars import Glide, Reached
from scripted.simulated_jobs import Clock, OpensAtOnce, Simulated, costing, run


@pytest.mark.parametrize("kind", [Simulated, OpensAtOnce])
@pytest.mark.parametrize(("fixed", "step"), [(0.7, 0.07), (0.01, 10.0), (0.001, 0.002), (16.0, 0.07)])
@pytest.mark.parametrize("first", [0.0, 3.0])
def test_the_bar_of_a_job_never_moves_back_nor_ahead_of_the_next_answer(
    kind: type[Simulated], fixed: float, step: float, first: float
) -> None:
    done = run(kind([(10, 10), (14, 14)], 60), costing(fixed, step), first=first)
    clock = Clock()
    glide, last = Glide(clock), 0.0
    for (at, progress), (until, following) in pairwise(done.progresses):
        assert progress.fraction <= progress.next_fraction <= following.fraction + 1e-9
        clock.now = at
        glide.report(Reached.of(progress))
        moments = min(100, math.ceil((until - at) / 0.1))
        for moment in range(moments + 1):
            clock.now = at + (until - at) * moment / max(moments, 1)
            place = glide.place()
            assert last <= place <= max(progress.next_fraction, progress.fraction)
            last = place


def test_the_bar_moves_between_answers_and_arrives_with_them() -> None:
    clock = Clock()
    glide = Glide(clock)
    glide.report(Reached(0.2, 0.6, 8.0))
    places = []
    for _ in range(8):
        clock.now += 1.0
        places.append(glide.place())
    assert all(0.02 < later - earlier < 0.06 for earlier, later in pairwise(places))
    assert 0.55 < places[-1] < 0.6
    clock.now += 1000.0
    assert places[-1] < glide.place() < 0.6
    glide.report(Reached(0.6, 1.0, 1.0))
    assert glide.place() == 0.6
    clock.now += 1000.0
    assert glide.place() < 1.0


def test_the_bar_stands_still_while_the_job_waits_for_its_server() -> None:
    clock = Clock()
    glide = Glide(clock)
    glide.report(Reached(0.0, 0.5, 10.0))
    clock.now += 2.0
    place = glide.place()
    for _ in range(50):
        clock.now += 1.0
        assert glide.place(halted=True) == place
    clock.now += 1.0
    assert place < glide.place() < 0.2


def test_a_part_of_a_greater_job_moves_its_part_of_the_bar() -> None:
    assert Reached(0.5, 0.75, 3.0).in_part(1, 4) == Reached(0.375, 0.4375, 3.0)
    assert Reached.of(Progress(3, 12)) == Reached(0.25, 0.25, None)
