"""Timers wake what is due, and only what was set last."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from routing.engine.clock import Clock
from routing.engine.timers import CATCH_UP, HORIZON, READING, Timers

ONE, TWO = UUID(int=1), UUID(int=2)


async def test_what_is_due_is_woken_in_its_order() -> None:
    clock, woken, both = Clock(datetime.now(UTC)), [], asyncio.Event()

    def wake(which: UUID) -> None:
        woken.append(which)
        if len(woken) == 2:
            both.set()

    timers = Timers(clock, wake)
    timers.set(TWO, clock.now() + timedelta(seconds=0.02))
    timers.set(ONE, clock.now() - timedelta(seconds=1))
    await asyncio.wait_for(both.wait(), 1)
    assert woken == [ONE, TWO]


async def test_a_new_time_replaces_the_old_one_and_none_takes_it_away() -> None:
    clock, woken = Clock(datetime.now(UTC)), asyncio.Event()
    timers = Timers(clock, lambda which: woken.set() if which == TWO else None)
    timers.set(ONE, clock.now())
    timers.set(ONE, None)
    assert not timers.has(ONE)
    timers.set(TWO, clock.now() + timedelta(seconds=30))
    timers.set(TWO, clock.now())
    await asyncio.wait_for(woken.wait(), 1)


async def test_what_is_due_later_than_the_horizon_is_left_to_the_table() -> None:
    clock = Clock(datetime.now(UTC))
    timers = Timers(clock, lambda _: None)
    timers.set(ONE, clock.now() + timedelta(seconds=HORIZON + 5))
    assert not timers.has(ONE)


async def test_who_stood_still_until_just_now_reads_first_what_was_done_meanwhile() -> None:
    """Also where the time was over so shortly before that the timer is hardly late."""
    clock, told, woken = Clock(datetime.now(UTC)), [], asyncio.Event()
    loop = asyncio.get_running_loop()
    woke = loop.time()

    def wake(which: UUID) -> None:
        told.append("time")
        woken.set()

    timers = Timers(clock, wake, lambda seconds: loop.time() - woke < seconds)
    timers.set(ONE, clock.now() + timedelta(seconds=2 * READING))
    loop.call_later(CATCH_UP / 2, told.append, "key")
    await asyncio.wait_for(woken.wait(), 1)
    assert told == ["key", "time"]
