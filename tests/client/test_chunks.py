"""Chunks of a long job: what a call costs beside its steps stays a small part, and signs of life come often enough.

The server is simulated, and so is the clock: a call of n steps takes a + b * n seconds.
"""

from __future__ import annotations

import math
import random
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from impasto.client._jobs.pace import SIGN_OF_LIFE, Pace
from scripted.simulated_jobs import Clock, Cost, OpensAtOnce, Simulated, costing, run

SMALL = (10, 10)
FAST_BEHIND_A_SLOW_WIRE = costing(0.7, 0.07)
PROCESSOR = costing(0.01, 10.0)


def test_a_fast_server_behind_a_slow_wire_is_asked_in_few_calls() -> None:
    done = run(OpensAtOnce([SMALL], 100), FAST_BEHIND_A_SLOW_WIRE)
    assert done.total <= 1.15 * (100 * 0.07 + 0.7)
    assert done.chunks == [1, 99]


def test_where_opening_tells_nothing_a_call_without_steps_does() -> None:
    done = run(Simulated([SMALL], 100), FAST_BEHIND_A_SLOW_WIRE)
    assert (done.chunks, done.probes) == ([1, 99], 1)
    assert done.total <= 1.2 * (100 * 0.07 + 0.7)


@pytest.mark.parametrize("kind", [Simulated, OpensAtOnce])
def test_a_processor_is_asked_for_one_step_a_call(kind: type[Simulated]) -> None:
    done = run(kind([SMALL], 6), PROCESSOR)
    assert done.chunks == [1] * 6
    assert done.total <= 6 * 10.01 + 0.01


def test_calls_that_cost_little_take_about_a_second() -> None:
    done = run(Simulated([SMALL], 200), costing(0.001, 0.02))
    assert done.chunks[0] == 1
    assert max(done.seconds[1:]) <= 1.0
    assert len(done.chunks) <= 6


def test_the_first_call_at_a_size_is_an_outlier_and_no_measure() -> None:
    done = run(OpensAtOnce([SMALL], 100), FAST_BEHIND_A_SLOW_WIRE, first=1.2)
    assert done.total - 1.2 <= 1.2 * (100 * 0.07 + 0.7)
    slow = run(Simulated([SMALL], 100), costing(0.001, 0.02), first=13.0)
    assert len(slow.chunks) <= 4


@pytest.mark.parametrize("kind", [Simulated, OpensAtOnce])
@pytest.mark.parametrize("seconds_follow", ["pixels", "nothing"])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_learnt_of_one_octave_serves_for_the_next(
    kind: type[Simulated], seconds_follow: str, order: int
) -> None:
    sizes = [(10, 10), (14, 14), (20, 20), (28, 28)][::order]

    def cost(pixels: int, steps: int, calls: int) -> float:
        scale = pixels / 784 if seconds_follow == "pixels" else 1.0
        return scale * (0.7 + 0.07 * steps)

    done = run(kind(sizes, 100), cost, first=0.1)
    scales = [height * width / 784 if seconds_follow == "pixels" else 1.0 for height, width in sizes]
    ideal = sum(scale * (0.7 + 7.0) for scale in scales)
    assert done.total - 0.4 <= 1.15 * ideal
    assert max(done.seconds) <= SIGN_OF_LIFE


def changing(before: tuple[float, float], after: tuple[float, float], at: int) -> Cost:
    return lambda pixels, steps, calls: costing(*(before if calls < at else after))(pixels, steps, calls)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0.7, 0.07), (0.7, 0.35)),
        ((0.7, 0.35), (0.7, 0.07)),
        ((0.01, 0.07), (0.7, 0.07)),
        ((0.7, 0.07), (0.01, 0.07)),
        ((0.01, 0.02), (0.01, 4.0)),
    ],
    ids=str,
)
def test_a_server_that_changes_under_way_is_followed(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    steps = 1000
    done = run(Simulated([SMALL], steps), changing(before, after, 5))
    begun = sum(done.chunks[:5])
    # One call meets the change as it was planned, and a few more are shorter than need be until it is known.
    assert max(done.seconds[6:]) <= SIGN_OF_LIFE
    fixed, step = after
    at_once = max(1, int((0.9 * SIGN_OF_LIFE - fixed) / step))
    calls = math.ceil((steps - begun) / at_once) + 5
    assert sum(done.seconds[5:]) <= 1.06 * step * (steps - begun) + fixed * calls


def test_a_call_that_is_held_up_once_is_forgotten() -> None:
    def cost(pixels: int, steps: int, calls: int) -> float:
        return 0.7 + 0.07 * steps + (30.0 if calls == 4 else 0.0)

    done = run(Simulated([SMALL], 1000), cost)
    undisturbed = run(Simulated([SMALL], 1000), FAST_BEHIND_A_SLOW_WIRE)
    assert done.total <= undisturbed.total + 30.0 + 5 * 0.7


def test_two_replicas_in_turn_are_planned_for_by_the_slower_one() -> None:
    def cost(pixels: int, steps: int, calls: int) -> float:
        return 0.7 + (0.07 if calls % 2 else 0.35) * steps

    done = run(Simulated([SMALL], 600), cost)
    assert max(done.seconds[4:]) <= SIGN_OF_LIFE


def test_noise_changes_little() -> None:
    for seed in range(5):
        chance = random.Random(seed)

        def cost(pixels: int, steps: int, calls: int, chance: random.Random = chance) -> float:
            return chance.uniform(0.9, 1.1) * (0.7 + 0.07 * steps)

        done = run(OpensAtOnce([SMALL], 500), cost, first=0.3)
        assert done.total <= 1.35 * (500 * 0.07)
        assert max(done.seconds) <= 1.25 * SIGN_OF_LIFE


def test_a_call_sent_again_changes_neither_the_next_one_nor_the_time_left() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for steps in (1, 8, 8):
        pace.start()
        clock.now += 0.125 * steps
        pace.stop(1, steps)
    before = pace.steps(1, most=1000), pace.seconds_left(80)
    for end in (partial(pace.stop, 1, 8), partial(pace.probed, 1), partial(pace.opened, 1)):
        pace.start()
        pace.disturb()
        clock.now += 50.0
        end()
    assert (pace.steps(1, most=1000), pace.seconds_left(80)) == before == (8, 10.0)


def test_a_chunk_is_a_third_of_the_timeout_at_most() -> None:
    done = run(OpensAtOnce([SMALL], 300), FAST_BEHIND_A_SLOW_WIRE, timeout=6.0)
    assert max(done.seconds) <= 2.0
    endless = run(OpensAtOnce([SMALL], 300), FAST_BEHIND_A_SLOW_WIRE, timeout=math.inf)
    assert max(endless.seconds) > 6.0


def test_a_wire_that_is_slower_than_signs_of_life_still_carries_work() -> None:
    done = run(OpensAtOnce([SMALL], 1000), costing(16.0, 0.07))
    assert len(done.chunks) <= 10


def test_every_and_what_the_model_takes_at_once_are_kept() -> None:
    done = run(OpensAtOnce([SMALL, SMALL], 100), FAST_BEHIND_A_SLOW_WIRE, every=30)
    assert {30, 60, 90, 120, 150, 180} <= {progress.done for _, progress in done.progresses}
    done = run(OpensAtOnce([SMALL], 100, most_steps=40), FAST_BEHIND_A_SLOW_WIRE)
    assert max(done.chunks) <= 40


def test_whoever_looks_at_the_pictures_on_the_way_gets_more_of_them() -> None:
    looked = run(OpensAtOnce([SMALL], 200), FAST_BEHIND_A_SLOW_WIRE, look=lambda seen: seen.preview())
    assert max(looked.seconds[2:]) <= 2 * 0.7 + 0.07
    assert looked.total <= 2.2 * (200 * 0.07)
    asked = run(
        OpensAtOnce([SMALL], 200), FAST_BEHIND_A_SLOW_WIRE, look=lambda seen: seen.preview(), every=100
    )
    assert len(asked.chunks) == 3


@pytest.mark.parametrize(
    "cost",
    [FAST_BEHIND_A_SLOW_WIRE, PROCESSOR, costing(0.05, 0.3)],
    ids=["slow wire", "processor", "between"],
)
def test_a_job_stopped_at_any_chunk_goes_on_to_the_same_bits(cost: Cost) -> None:
    work = OpensAtOnce([SMALL, (14, 14)], 40)
    whole = run(work, cost)
    assert whole.result is not None
    for snapshot in whole.snapshots:
        again = run(work, cost, resume=snapshot)
        assert again.result is not None
        assert again.result.tobytes() == whole.result.tobytes()


@settings(max_examples=100, deadline=None)
@given(
    fixed=st.floats(0, 4),
    step=st.floats(-4, 1.3).map(lambda exponent: 10.0**exponent),
    steps=st.integers(1, 300),
    first=st.floats(0, 3),
    kind=st.sampled_from([Simulated, OpensAtOnce]),
)
@example(fixed=0.7, step=0.07, steps=100, first=0.0, kind=OpensAtOnce)
@example(fixed=2.3, step=2.3, steps=300, first=0.0, kind=Simulated)
def test_whatever_a_call_costs_a_job_is_near_the_ideal_and_gives_signs_of_life(
    fixed: float, step: float, steps: int, first: float, kind: type[Simulated]
) -> None:
    done = run(kind([SMALL], steps), costing(fixed, step), first=first)
    assert sum(done.chunks) == steps
    assert min(done.chunks) >= 1
    assert all(
        count == 1 or taken <= SIGN_OF_LIFE for count, taken in zip(done.chunks, done.seconds, strict=True)
    )
    at_once = max(1, int((0.9 * SIGN_OF_LIFE - fixed) / step))
    assert done.total - first <= 1.06 * step * steps + fixed * (math.ceil(steps / at_once) + 5)


def test_the_time_left_follows_the_work_left() -> None:
    done = run(OpensAtOnce([SMALL], 1000), FAST_BEHIND_A_SLOW_WIRE)
    end = done.progresses[-1][0]
    assert done.progresses[0][1].seconds_left is None
    for at, progress in done.progresses[2:]:
        assert progress.seconds_left == pytest.approx(end - at, abs=1.5)
    assert done.progresses[-1][1].seconds_left == 0.0
    assert done.progresses[0][1].next_seconds is None
    for (at, progress), (until, _) in pairwise(done.progresses[2:-1]):
        assert progress.next_seconds == pytest.approx(until - at)


def test_a_clock_that_did_not_move_is_no_division_by_zero() -> None:
    assert sum(run(Simulated([SMALL], 21), costing(0.0, 0.0)).chunks) == 21
