"""Chunks of a long job last about a second, whatever the server and the picture."""

from __future__ import annotations

from impasto.client._jobs.pace import Pace


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(
    pace: Pace, clock: Clock, steps: int, *, work: float, seconds_a_step: float, most: int = 10_000
) -> list[int]:
    """The chunks that `steps` steps are cut into."""
    chunks = []
    while steps:
        count = pace.steps(work, most=min(steps, most))
        pace.start()
        clock.now += count * seconds_a_step
        pace.stop(count * work)
        chunks.append(count)
        steps -= count
    return chunks


def test_the_first_chunk_is_one_step_and_the_next_ones_grow_to_a_second() -> None:
    clock = Clock()
    assert run(Pace(clock=clock), clock, 200, work=10, seconds_a_step=0.02) == [1, 4, 16, 50, 50, 50, 29]


def test_slow_steps_come_one_by_one() -> None:
    clock = Clock()
    assert run(Pace(clock=clock), clock, 4, work=10, seconds_a_step=3.0) == [1, 1, 1, 1]


def test_a_larger_picture_gets_fewer_steps_at_once_before_it_is_measured() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 200, work=100, seconds_a_step=0.02)
    assert pace.steps(400, most=1000) == 12
    assert pace.steps(50, most=1000) == 100


def test_a_slow_first_call_does_not_slow_the_rest() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 1, work=1, seconds_a_step=13.0)
    assert run(pace, clock, 30, work=1, seconds_a_step=0.125) == [1, 4, 8, 8, 8, 1]


def test_a_chunk_sent_again_changes_neither_the_next_one_nor_the_time_left() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    run(pace, clock, 200, work=1, seconds_a_step=0.125)
    before = pace.steps(1, most=1000), pace.seconds(80)
    pace.start()
    pace.disturb()
    clock.now += 50.0
    pace.stop(8)
    assert (pace.steps(1, most=1000), pace.seconds(80)) == before == (8, 10.0)
    pace.start()
    clock.now += 4.0
    pace.stop(8)
    assert pace.seconds(80) == 25.0


def test_no_chunk_is_larger_than_what_is_wanted() -> None:
    clock = Clock()
    assert run(Pace(clock=clock), clock, 12, work=1, seconds_a_step=1e-9, most=5) == [1, 4, 5, 2]


def test_a_clock_that_did_not_move_is_no_division_by_zero() -> None:
    clock = Clock()
    assert run(Pace(clock=clock), clock, 21, work=1, seconds_a_step=0.0) == [1, 4, 16]


def test_the_time_left_follows_the_work_left() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    assert pace.seconds(10) is None
    run(pace, clock, 100, work=5, seconds_a_step=0.5)
    assert pace.seconds(50) == 5.0
    assert pace.seconds(0) == 0.0
