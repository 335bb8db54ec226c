"""Postgres' clock jumps under a running service. Real rows on a real Postgres; before the jump the engine's clock is
set apart from Postgres' by so much, which is how things are in the second after it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.agents import Availability
from routing.core.effects import DialCustomer
from routing.core.errors import Fenced, NumberBlocked
from routing.core.events import CallbackRequested, OfferRejected, PickedUp
from routing.core.interaction import Deadline, Interaction, Status
from routing.core.lifecycle import Decision
from routing.engine import timekeeping
from routing.engine.clock import Clock, boottime
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.store import clock as stored
from routing.store import idempotency, interactions, tokens
from routing.store.database import Pool
from routing.store.read import line

HOUR = 3600.0
BOTH_WAYS = pytest.mark.parametrize("by", [3 * HOUR, -3 * HOUR], ids=["forward", "back"])


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """At Postgres' clock, unless the test does."""
    monkeypatch.setattr(timekeeping, "EVERY", 1000)


def before_a_jump(service: Service, by: float) -> None:
    """Postgres' clock will have jumped `by` seconds, seen from here."""
    service.engine.clock.jump(-by, service.engine.clock.shift)


async def jump(service: Service) -> None:
    await service.engine.timekeeper.look()


async def requested(service: Service, ahead: float | None, number: str = CUSTOMER) -> Interaction:
    at = None if ahead is None else service.engine.clock.now() + timedelta(seconds=ahead)
    return await service.engine.request(CallbackRequested("operator:admin", "support", number, at))


async def becomes(service: Service, interaction_id: UUID, status: Status, within: float = 5) -> Interaction:
    async with asyncio.timeout(within):
        while (now := await service.stored(interaction_id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return now


async def put_right(service: Service, *ids: UUID) -> list[Interaction]:
    """Once they are stored by the clock as it goes after the jump."""
    async with asyncio.timeout(5):
        while True:
            rows = [await service.stored(each) for each in ids]
            if all(row.shift == service.engine.clock.shift for row in rows):
                return rows
            await asyncio.sleep(0.02)


async def feed(service: Service, interaction_id: UUID) -> list[str]:
    lines = (await service.ask("GET", f"interactions/{interaction_id}/feed")).body["items"]
    return [each["event"] for each in lines]


# Spans


@BOTH_WAYS
async def test_an_offer_ends_after_the_seconds_the_agent_was_given(service: Service, by: float) -> None:
    before_a_jump(service, by)
    await service.queue(numbers=["600"], workflow=QUICK, offer={"accept_timeout": 2})
    await service.agent("1001", "support")
    it, changed = await requested(service, None), service.changes()
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    await changed.until(lambda it: it.status is Status.OFFERED)
    offered = time.monotonic()

    await jump(service)
    await changed.until(lambda it: it.status is Status.OPEN)

    assert 1.9 <= time.monotonic() - offered < 3
    assert (await feed(service, it.id)).count("rona") == 1


@BOTH_WAYS
async def test_a_caller_has_as_long_for_a_key_as_ever(service: Service, by: float) -> None:
    before_a_jump(service, by)
    await service.queue(numbers=["600"], workflow=QUICK)
    caller, changed = await service.call_in(), service.changes()
    it = await service.stored(caller)
    if it.status is not Status.BOT:
        it = await changed.until(lambda it: it.status is Status.BOT)
    left = it.deadlines[Deadline.PLAYBACK] - service.engine.clock.now()

    await jump(service)
    (it,) = await put_right(service, caller)

    assert it.status is Status.BOT
    now_left = it.deadlines[Deadline.PLAYBACK] - service.engine.clock.now()
    assert timedelta(0) <= left - now_left < timedelta(seconds=2)


@BOTH_WAYS
async def test_the_next_try_is_as_far_off_as_before(service: Service, by: float) -> None:
    """Nobody is called again early because the clock was set, nor hours late."""
    before_a_jump(service, by)
    await service.queue(numbers=["600"])
    it = await requested(service, 0.1)
    retry = it.changed(
        status=Status.SCHEDULED, deadlines={Deadline.DUE: service.engine.clock.now() + timedelta(hours=1)}
    )
    await _store(service, it, retry)

    await jump(service)
    (it,) = await put_right(service, it.id)

    assert it.status is Status.SCHEDULED
    left = (it.deadlines[Deadline.DUE] - service.engine.clock.now()).total_seconds()
    assert HOUR - 5 < left <= HOUR


async def _store(service: Service, before: Interaction, after: Interaction) -> None:
    engine = service.engine
    await interactions.save(engine.pool, engine.lease.ownership, before, Decision(after), engine.clock.now())
    engine._read_again(before.id)


async def test_an_agent_who_declined_is_passed_over_for_no_longer(service: Service) -> None:
    """After a jump back it would be for hours, and the only agent would never be offered the call again."""
    before_a_jump(service, -3 * HOUR)
    await service.queue(numbers=["600"], workflow=QUICK, offer={"exclude": 2})
    await service.agent("1001", "support")
    it, changed = await requested(service, None), service.changes()
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    await changed.until(lambda it: it.status is Status.OFFERED)
    await service.engine.ask(it.id, OfferRejected("1001"))
    declined = time.monotonic()

    await jump(service)
    await changed.until(lambda it: it.status is Status.OFFERED)

    assert 1.9 <= time.monotonic() - declined < 4


async def test_who_came_first_is_served_first_after_the_clock_went_back(service: Service) -> None:
    before_a_jump(service, -3 * HOUR)
    await service.queue(numbers=["600"])
    earlier = [await requested(service, None, f"+4915112345{n}") for n in range(100, 104)]
    await jump(service)
    later = await requested(service, None, "+4915112345999")
    await put_right(service, *(it.id for it in earlier))

    waiting = await line.in_line(service.engine.pool, ["support"], service.engine.clock.now(), 10)

    assert [each.id for each in waiting] == [it.id for it in (*earlier, later)]


# Calendar times


async def test_what_the_clock_jumped_past_is_due_at_once_and_no_other(service: Service) -> None:
    before_a_jump(service, 3 * HOUR)
    await service.queue(numbers=["600"])
    passed = await requested(service, 2 * HOUR)
    ahead = await requested(service, 4 * HOUR, "+4915112345679")

    jumped = time.monotonic()
    await jump(service)
    await becomes(service, passed.id, Status.OPEN)

    assert time.monotonic() - jumped < 5
    (it,) = await put_right(service, ahead.id)
    assert (it.status, it.deadlines[Deadline.DUE]) == (Status.SCHEDULED, ahead.deadlines[Deadline.DUE])
    assert (await feed(service, passed.id)).count("due") == 1


async def test_after_a_jump_back_nothing_is_due_early_and_nothing_twice(service: Service) -> None:
    """It was to be due in a second, and is in an hour and a second; what was due already stays so."""
    before_a_jump(service, -HOUR)
    await service.queue(numbers=["600"])
    was_due = await requested(service, 0.05, "+4915112345679")
    await becomes(service, was_due.id, Status.OPEN)
    soon = await requested(service, 1)

    await jump(service)
    await asyncio.sleep(1.2)  # its timer was set before

    (it, done) = await put_right(service, soon.id, was_due.id)
    assert (it.status, it.deadlines[Deadline.DUE]) == (Status.SCHEDULED, soon.deadlines[Deadline.DUE])
    assert done.status is Status.OPEN
    assert (await feed(service, was_due.id)).count("due") == 1


async def test_the_calling_window_is_judged_by_the_new_time(service: Service) -> None:
    """It was open, by the clock before. Nobody is called."""
    before_a_jump(service, 3 * HOUR)
    await service.queue(numbers=["600"], dial={"window": _open_for_an_hour(service.engine.clock.now())})
    await service.agent("1001", "support")
    it = await requested(service, None)
    assert it.place.not_before is None

    await jump(service)
    with pytest.raises(NumberBlocked):
        await service.engine.ask(it.id, PickedUp("1001"))

    assert not [each for each in service.phones.asked if isinstance(each, DialCustomer)]


def _open_for_an_hour(now: datetime) -> list[str]:
    """A window with `now` in it and not three hours later, on the customer's clock, whatever the time of day."""
    local = now.astimezone(ZoneInfo("Europe/Berlin"))
    first = local - timedelta(minutes=30)
    last = local + timedelta(minutes=30)
    if first.date() != last.date():  # a window does not go over midnight
        return (
            [first.strftime("%H:%M"), "24:00"] if first.date() == local.date() else ["00:00", last.strftime("%H:%M")]
        )
    return [first.strftime("%H:%M"), last.strftime("%H:%M")]


# Noticing, telling, surviving


@BOTH_WAYS
async def test_a_jump_is_told(service: Service, by: float) -> None:
    before_a_jump(service, by)
    await jump(service)

    ready = await service.ask("GET", "/readyz", None)
    assert (ready.status, ready.body["clock"]["jumps"]) == (200, 1)
    told = ready.body["clock"]["last_jump"]
    assert abs(told["seconds"] - by) < 1 and told["slept"] == 0
    metrics = (await service.ask("GET", "/metrics", None)).body.decode()
    direction = "forward" if by > 0 else "back"
    assert f'ringback_clock_jumps_total{{direction="{direction}"}}' in metrics


async def test_it_is_noticed_without_being_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeping, "EVERY", 0.05)
    keeping = asyncio.create_task(service.engine.timekeeper.keep())
    before_a_jump(service, 3 * HOUR)
    async with asyncio.timeout(5):
        while not service.engine.timekeeper.jumps:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_drift_disturbs_nobody(service: Service) -> None:
    await service.queue(numbers=["600"])
    it = await requested(service, HOUR)
    before_a_jump(service, 0.4)
    for _ in range(3):
        await jump(service)
    assert service.engine.timekeeper.jumps == 0
    assert await service.stored(it.id) == it


async def test_a_look_that_took_long_tells_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was held up between asking and hearing is not a clock that jumped."""
    seconds = iter([0.0, 700.0, 700.0, 700.0])
    monkeypatch.setattr(service.engine.clock, "monotonic", lambda: next(seconds))
    await service.engine.timekeeper.look()
    assert service.engine.timekeeper.jumps == 0


async def test_a_suspended_machine_is_told_as_such(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes. The monotonic clock stood still meanwhile, as CLOCK_BOOTTIME did not."""
    before_a_jump(service, 600)
    clock = service.engine.clock
    monkeypatch.setattr(clock, "machine", replace(clock.machine, boottime=lambda: boottime() + 600))
    await jump(service)
    last = service.engine.timekeeper.last_jump
    assert last and abs(last.seconds - 600) < 1 and abs(last.slept - 600) < 1


async def test_a_successor_puts_right_what_was_stored_before_the_jump(service: Service, pool: Pool) -> None:
    """Its predecessor died between noticing and putting it right."""
    by = 3 * HOUR
    before_a_jump(service, by)
    await service.queue(numbers=["600"])
    it = await requested(service, None)
    owner = service.engine.lease.ownership
    assert await stored.jumped(pool, owner, 0.0, by, 0.0, service.engine.clock.now()) == by

    successor = Engine(pool, await Clock.of(pool, "test"), service.engine.lease, service.phones)
    watching = asyncio.create_task(successor._due.watch())
    async with asyncio.timeout(5):
        while (row := await service.stored(it.id)).shift != by:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    watching.cancel()
    await asyncio.wait([watching])

    assert row.deadlines[Deadline.EXPIRY] - it.deadlines[Deadline.EXPIRY] == timedelta(seconds=by)


async def test_a_jump_that_was_stored_and_not_confirmed_is_counted_once(service: Service, pool: Pool) -> None:
    owner = service.engine.lease.ownership
    now = service.engine.clock.now()
    assert await stored.jumped(pool, owner, 0.0, 100.0, 0.0, now) == 100.0
    assert await stored.jumped(pool, owner, 0.0, 100.3, 0.0, now) == 100.0
    other = type(owner)(owner.shard, owner.epoch - 1)
    assert await stored.jumped(pool, other, 100.0, 100.0, 0.0, now) is None, "who is fenced counts nothing"


async def test_tokens_and_what_was_answered_live_as_long_as_before(service: Service, pool: Pool) -> None:
    before_a_jump(service, 25 * HOUR)
    now = service.engine.clock.now()
    await idempotency.begin(pool, "me", "k", b"request", 1, now)
    await idempotency.keep(pool, "me", "k", 1, 200, "", b"done")
    token = await tokens.issue(pool, "admin")
    digest = tokens.hash_of(token)
    await pool.execute("UPDATE tokens SET expires_at = now() - interval '24 hours' WHERE hash = $1", digest)
    await jump(service)
    again = await idempotency.begin(pool, "me", "k", b"request", 1, service.engine.clock.now())
    assert again and again.body == b"done"
    assert await tokens.lookup(pool, digest), "it had an hour left before the clock jumped 25"


async def test_what_an_agent_asked_for_in_the_last_hour_counts_as_long_as_before(
    service: Service, pool: Pool
) -> None:
    """After a jump back it would count for three hours more."""
    before_a_jump(service, -3 * HOUR)
    await service.queue(numbers=["600"], limits={"requests_per_agent": 1})
    await service.agent("1001", "support")
    body = {"queue": "support", "number": CUSTOMER}
    await service.ask("POST", "callbacks", "1001", json=body)
    await jump(service)
    (asked,) = await pool.fetchval("SELECT at FROM requests_made")
    assert timedelta(0) <= service.engine.clock.now() - asked < timedelta(seconds=5)


# The lease


@pytest.fixture
async def owner(pool: Pool) -> AsyncIterator[Lease]:
    lease = Lease(pool, "shard")
    await lease.take()
    yield lease


async def _jumps(pool: Pool, by: float) -> None:
    """What a jump of Postgres' clock does to a lease."""
    await pool.execute("UPDATE shards SET until = until - make_interval(secs => $1)", by)


async def _renews(lease: Lease) -> None:
    while True:
        await asyncio.sleep(0.3)
        await lease._renew()


async def _waits(pool: Pool, within: float) -> Lease | None:
    """Who wants the shard, if they get it in that time."""
    other = Lease(pool, "shard")
    try:
        async with asyncio.timeout(within):
            await other.take()
    except TimeoutError:
        return None
    return other


@BOTH_WAYS
async def test_a_living_owner_keeps_the_shard_through_a_jump(pool: Pool, owner: Lease, by: float) -> None:
    await _jumps(pool, by)
    renewing = asyncio.create_task(_renews(owner))
    assert await _waits(pool, 5) is None
    renewing.cancel()
    await asyncio.wait([renewing])
    assert not owner.lost


@pytest.mark.parametrize(("by", "within"), [(3 * HOUR, 3.0), (-3 * HOUR, 5.0)], ids=["forward", "back"])
async def test_a_dead_owners_shard_is_free_after_a_jump(pool: Pool, owner: Lease, by: float, within: float) -> None:
    await _jumps(pool, by)
    assert await _waits(pool, within)
    with pytest.raises(Fenced):
        await owner._renew()
        await owner.keep()


async def test_the_wake_of_a_row_put_right_is_the_least_of_its_deadlines(service: Service) -> None:
    before_a_jump(service, -3 * HOUR)
    await service.queue(numbers=["600"])
    it = await requested(service, None)
    await jump(service)
    (row,) = await put_right(service, it.id)
    wake: Any = await service.engine.pool.fetchval("SELECT wake_at FROM interactions WHERE id = $1", it.id)
    assert wake == row.wake_at == row.deadlines[Deadline.EXPIRY]
