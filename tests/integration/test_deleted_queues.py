"""A queue is deleted at the instant in which somebody comes into it: one of both is refused, and nobody is left in a
queue that no agent serves."""

import asyncio

import pytest
from api_service import CUSTOMER, QUICK, Service
from locks import locked, waits_for_a_lock

from routing.core.effects import Refusal, Refuse
from routing.core.errors import Invalid, Unavailable
from routing.core.events import CallbackRequested, CallerArrived, Requeued
from routing.core.interaction import Status
from routing.store import agents, interactions, queues
from routing.store.agents import Membership, Settings
from routing.store.database import Pool

REQUEST = CallbackRequested(by="operator:admin", queue="support", number=CUSTOMER)
SHARD = "SELECT FROM shards FOR UPDATE"
SETTINGS = "SELECT FROM queue_versions FOR UPDATE"
"""What a new interaction needs first, before its queue, and last, after it."""


async def living(pool: Pool) -> int:
    found: int = await pool.fetchval("SELECT count(*) FROM interactions WHERE status <> 'closed'")
    return found


@pytest.fixture
async def support(service: Service) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")


async def test_a_request_is_refused_when_the_deletion_is_first(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    async with locked(dsn, SHARD):
        asking = asyncio.create_task(service.engine.request(REQUEST))
        await waits_for_a_lock(pool)
        await queues.delete(pool, "support")
    with pytest.raises(Invalid):
        await asking
    assert await living(pool) == 0


async def test_over_the_api_it_is_told_that_there_is_no_such_queue(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    async with locked(dsn, SHARD):
        sent = {"queue": "support", "number": CUSTOMER}
        asking = asyncio.create_task(service.ask("POST", "callbacks", json=sent))
        await waits_for_a_lock(pool)
        assert (await service.ask("DELETE", "queues/support")).status == 204
    answer = await asking
    assert (answer.status, answer.body["code"]) == (422, "invalid")
    assert [each["pointer"] for each in answer.body["errors"]] == ["/queue"]
    assert await living(pool) == 0


async def test_the_deletion_is_refused_when_a_request_is_first(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    async with locked(dsn, SETTINGS):
        asking = asyncio.create_task(service.engine.request(REQUEST))
        await waits_for_a_lock(pool)
        deleting = asyncio.create_task(queues.delete(pool, "support"))
        await waits_for_a_lock(pool, 2)
    assert (await asking).status is Status.OPEN
    with pytest.raises(Invalid):
        await deleting
    assert await pool.fetchval("SELECT count(*) FROM agent_queues WHERE queue = 'support'") == 1


async def test_a_caller_is_turned_away_when_the_deletion_is_first(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    async with locked(dsn, SHARD):
        service.engine.arrive(CallerArrived("caller-1", "600", CUSTOMER))
        await waits_for_a_lock(pool)
        await queues.delete(pool, "support")
    async with asyncio.timeout(5):
        while service.engine.legs():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert service.phones.asked == [Refuse("caller-1", Refusal.UNKNOWN_NUMBER)]
    assert await living(pool) == 0


async def test_a_row_that_was_given_up_is_kept_from_landing_though_its_queue_is_gone(
    support: None, service: Service, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = interactions.create

    async def create(*arguments: object) -> int:
        monkeypatch.setattr(interactions, "create", real)
        await queues.delete(pool, "support")
        raise Unavailable("Postgres does not answer.")

    monkeypatch.setattr(interactions, "create", create)
    service.engine.arrive(CallerArrived("caller-1", "600", CUSTOMER))
    async with asyncio.timeout(5):
        while not await pool.fetchval("SELECT count(*) FROM interactions WHERE status = 'closed'"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await living(pool) == 0


async def test_a_callback_is_not_moved_into_a_queue_that_was_deleted_meanwhile(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    await service.queue("sales", numbers=["601"])
    callback = await service.callback()
    async with locked(dsn, SHARD):
        moving = asyncio.create_task(service.engine.ask(callback, Requeued("operator:admin", "sales", 1)))
        await waits_for_a_lock(pool)
        await queues.delete(pool, "sales")
    with pytest.raises(Invalid):
        await moving
    assert (await service.stored(callback)).queue == "support"


async def test_a_queue_is_not_deleted_when_a_callback_is_moved_into_it_at_that_moment(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    await service.queue("sales", numbers=["601"])
    callback = await service.callback()
    async with locked(dsn, SETTINGS):
        moving = asyncio.create_task(service.engine.ask(callback, Requeued("operator:admin", "sales", 1)))
        await waits_for_a_lock(pool)
        deleting = asyncio.create_task(queues.delete(pool, "sales"))
        await waits_for_a_lock(pool, 2)
    assert (await moving).queue == "sales"
    with pytest.raises(Invalid):
        await deleting


async def test_an_agent_does_not_come_to_serve_a_queue_that_was_deleted_meanwhile(
    support: None, service: Service, pool: Pool, dsn: str
) -> None:
    await service.queue("sales", numbers=["601"])
    async with locked(dsn, "SELECT FROM queues WHERE name = 'sales' FOR UPDATE"):
        deleting = asyncio.create_task(queues.delete(pool, "sales"))
        await waits_for_a_lock(pool)
        sales = Settings(queues=(Membership("sales"),))
        putting = asyncio.create_task(agents.put(pool, "1002", sales))
        await waits_for_a_lock(pool, 2)
    await deleting
    with pytest.raises(Invalid):
        await putting
    assert not await pool.fetchval("SELECT count(*) FROM agent_queues WHERE queue = 'sales'")
