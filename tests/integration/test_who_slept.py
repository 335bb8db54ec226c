"""A process that was stopped for longer than its lease: whatever it had in hand is not its to do any more."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from api_service import CUSTOMER, QUICK, Service

from routing.core.agents import Availability
from routing.core.effects import DialCustomer, HangUp, RingAgent
from routing.core.errors import Fenced, Unavailable
from routing.core.events import LegGone
from routing.core.interaction import Interaction, Status
from routing.engine import acting
from routing.engine import lease as lease_module
from routing.engine.clock import boottime
from routing.engine.lease import ASLEEP, HICCUP, PULSE, Lease
from routing.local.up import health as health_module
from routing.local.up.health import Health
from routing.store import shards
from routing.store.database import Pool


def sleep_long(lease: Lease) -> None:
    """As SIGSTOP does it."""
    lease._pulse -= ASLEEP + 1
    lease._until = boottime() - 1


async def another_takes_over(pool: Pool) -> None:
    await pool.execute("UPDATE shards SET owner = 'another', epoch = epoch + 1, until = now() + interval '1 minute'")


async def test_who_slept_and_was_replaced_does_nothing_any_more(pool: Pool) -> None:
    lease = Lease(pool, "test")
    await lease.take()
    assert await lease.may_act()
    await another_takes_over(pool)
    sleep_long(lease)
    assert not await lease.may_act() and not lease.valid
    with pytest.raises(Fenced):
        await lease.keep()


async def test_who_slept_and_was_missed_by_nobody_goes_on(pool: Pool) -> None:
    lease = Lease(pool, "test")
    await lease.take()
    sleep_long(lease)
    assert await lease.may_act() and lease.valid


async def test_who_stood_still_for_less_than_a_sleep_knows_it_and_only_for_a_while(pool: Pool) -> None:
    lease = Lease(pool, "test")
    await lease.take()
    lease._pulse -= PULSE + HICCUP / 2
    assert not lease.woke_within(60)
    lease._pulse -= PULSE + 2 * HICCUP
    assert lease.woke_within(60) and lease.woke_within(60)
    assert not lease.woke_within(0)


async def test_an_answer_from_before_the_sleep_settles_no_doubt(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres says that the shard is ours, we are stopped before we read it, and another takes over meanwhile."""
    lease, answered, read = Lease(pool, "test"), asyncio.Event(), asyncio.Event()
    await lease.take()
    real = shards.renew

    async def renew(pool: Pool, shard: str, owner: str, epoch: int) -> bool:
        answer = await real(pool, shard, owner, epoch)
        answered.set()
        await read.wait()
        return answer

    monkeypatch.setattr(shards, "renew", renew)
    asking = asyncio.create_task(lease._renew())
    await answered.wait()
    await another_takes_over(pool)
    sleep_long(lease)
    monkeypatch.undo()
    lease._feel_pulse()
    read.set()
    await asking
    assert not await lease.may_act()


async def test_who_slept_and_cannot_ask_postgres_waits(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable

    lease = Lease(pool, "test")
    await lease.take()
    monkeypatch.setattr(shards, "renew", away)
    assert await lease.may_act(), "Postgres alone is no reason to fall silent"
    sleep_long(lease)
    assert not await lease.may_act()
    monkeypatch.undo()
    assert await lease.may_act()


async def test_what_was_decided_before_the_sleep_is_not_done_after_it(service: Service) -> None:
    """Neither begun nor hung up: the channel of that id may be another's by now, live."""
    await service.queue(numbers=["600"], workflow=QUICK)
    it = await service.stored(await service.callback())
    service.phones.asked.clear()
    await another_takes_over(service.engine.pool)
    sleep_long(service.engine.lease)
    ring = RingAgent("a" * 32, it.id.hex, "1001", "+49", 20.0)
    await service.engine._actor.perform_all((ring, HangUp("c" * 32)), 0.0)
    assert service.phones.asked == []


async def answered_late(service: Service, monkeypatch: pytest.MonkeyPatch) -> Interaction:
    """Of a caller. It is in doubt whose the shard is, and Postgres says it at the third try."""
    real, away = shards.renew, 2

    async def renew(*arguments: Any) -> bool:
        nonlocal away
        away -= 1
        if away >= 0:
            raise Unavailable
        return await real(*arguments)

    await service.queue(numbers=["600"], workflow=QUICK)
    it = await service.stored(await service.call_in())
    monkeypatch.setattr(lease_module, "ASK_AGAIN", 0.05)
    monkeypatch.setattr(shards, "renew", renew)
    service.phones.asked.clear()
    service.engine.lease.doubt()
    return it


async def test_what_was_decided_is_done_though_postgres_does_not_say_at_once_whose_the_shard_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision is stored: nothing would ask for its effects again."""
    await answered_late(service, monkeypatch)
    await service.engine._actor.perform_all((HangUp("c" * 32),), 0.0)
    assert service.phones.asked == [HangUp("c" * 32)]


async def test_a_call_is_not_made_late_and_nobody_is_to_blame(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to answer runs since the decision: a phone that rings for a moment only would cost the agent Ready, or
    the customer a try."""
    it = await answered_late(service, monkeypatch)
    monkeypatch.setattr(acting, "LATE", 0.05)
    told: list[object] = []
    service.engine._actor._hear = lambda _, event: told.append(event)
    ring = RingAgent("a" * 32, it.id.hex, "1001", "+49", 20.0)
    dial = DialCustomer("b" * 32, it.id.hex, CUSTOMER, "+49", 20.0)
    await service.engine._actor.perform_all((ring, dial, HangUp("c" * 32)), 0.0)
    assert service.phones.asked == [HangUp("c" * 32)]
    assert told == [
        LegGone("a" * 32, refused=True, certain=False, lost=True),
        LegGone("b" * 32, refused=True, certain=False),
    ]


async def test_without_the_lease_the_agents_phone_is_not_to_blame(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable

    told: list[object] = []
    await service.queue(numbers=["600"], workflow=QUICK)
    it = await service.stored(await service.call_in())
    service.engine._actor._hear = lambda _, event: told.append(event)
    monkeypatch.setattr(shards, "renew", away)
    service.engine.lease._until = 0.0
    ring = RingAgent("a" * 32, it.id.hex, "1001", "+49", 20.0)
    await service.engine._actor.perform_all((ring,), 0.0)
    assert told == [LegGone("a" * 32, refused=True, certain=False, lost=True)]


async def test_a_lease_that_ran_out_is_renewed_for_the_first_call(service: Service) -> None:
    """After an outage of Postgres the next renewal may be more than a second away."""
    await service.queue(numbers=["600"], workflow=QUICK)
    it = await service.stored(await service.call_in())
    service.engine.lease._until = 0.0
    ring = RingAgent("a" * 32, it.id.hex, "1001", "+49", 20.0)
    await service.engine._actor.perform_all((ring,), 0.0)
    assert ring in service.phones.asked


async def test_without_the_lease_nothing_is_offered_only_to_be_taken_back(service: Service) -> None:
    """Again and again, until it is renewed."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id, changed = await service.callback(), service.changes()
    service.engine.lease._until = 0.0
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    await changed.until(lambda it: it.status is Status.OFFERED and service.engine.lease.valid)
    feed = (await service.ask("GET", f"interactions/{interaction_id}/feed")).body["items"]
    events = [each["event"] for each in feed]
    assert (events.count("offered"), events.count("agent_leg_lost")) == (1, 0)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "_PATIENCE", 0.05)
    monkeypatch.setattr(health_module, "_CALM", 0.02)


@pytest.mark.usefixtures("hurry")
async def test_a_service_that_was_alive_and_answers_no_more_hangs_and_one_that_is_not_ready_does_not() -> None:
    alive, ready = asyncio.Event(), False
    alive.set()

    async def healthz(_: web.Request) -> web.Response:
        await alive.wait()
        return web.Response()

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=200 if ready else 503)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    async with TestServer(app) as server:
        health = Health(str(server.make_url("")).rstrip("/"))
        watching = asyncio.create_task(health.watch())
        await asyncio.sleep(0.4)
        assert not health.hung.is_set(), "Postgres or Asterisk may be away"
        ready = True
        await asyncio.wait_for(health.ready.wait(), 5)
        alive.clear()
        await asyncio.wait_for(health.hung.wait(), 5)
        alive.set()
        watching.cancel()
        await asyncio.wait([watching])


@pytest.mark.usefixtures("hurry")
async def test_a_service_that_was_never_alive_does_not_hang() -> None:
    """It starts, or it is dead, which its parent sees otherwise."""
    health = Health("http://127.0.0.1:9")
    watching = asyncio.create_task(health.watch())
    await asyncio.sleep(0.4)
    assert not health.hung.is_set()
    watching.cancel()
    await asyncio.wait([watching])
