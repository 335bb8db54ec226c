"""The engine's clock: Postgres' time carried on by the monotonic clock, drift followed, jumps taken at once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from routing.engine.clock import SLEW, Clock, Machine
from routing.store.clock import Sight

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Second:
    """A monotonic clock that the test sets."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def sight(said: datetime, at: float) -> Sight:
    return Sight(said, at - 0.01, at + 0.01)


def test_time_goes_on_with_the_monotonic_clock() -> None:
    second = Second()
    clock = Clock(NOON, Machine(second))
    second.now += 90.5
    assert clock.now() == NOON + timedelta(seconds=90.5)


def test_it_knows_how_far_postgres_is_ahead_however_long_the_answer_took() -> None:
    second = Second()
    clock = Clock(NOON, Machine(second))
    second.now += 10
    seen = Sight(NOON + timedelta(seconds=3610), asked=14.5, heard=15.5)
    assert (clock.off(seen), seen.blur) == (3600, 0.5)


@given(off=st.floats(-1, 1))
def test_drift_is_taken_over_in_steps_nobody_notices(off: float) -> None:
    second = Second()
    clock = Clock(NOON, Machine(second))
    for _ in range(round(1 / SLEW) + 1):
        before = clock.now()
        clock.slew(clock.off(sight(NOON + timedelta(seconds=second.now - 5 + off), second.now)))
        assert abs((clock.now() - before).total_seconds()) <= SLEW + 1e-6
        second.now += 1
    assert abs(clock.off(sight(NOON + timedelta(seconds=second.now - 5 + off), second.now))) < 1e-5


def test_a_jump_is_taken_over_at_once_and_counted() -> None:
    second = Second()
    clock = Clock(NOON, Machine(second))
    clock.jump(-3600, -3600)
    second.now += 1
    assert (clock.now(), clock.shift) == (NOON - timedelta(seconds=3599), -3600)
