"""Times are kept in the table: what is due while nobody runs happens as soon as somebody does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from api_service import CUSTOMER, SilentPhones

from routing.core.events import CallbackRequested
from routing.core.interaction import Deadline, Interaction, Origin, Status
from routing.core.queues import Queue
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.store import interactions, queues
from routing.store.database import Pool

ALWAYS = {"window": ["00:00", "24:00"]}


@asynccontextmanager
async def process(pool: Pool) -> AsyncIterator[Engine]:
    """One life of the service."""
    lease = Lease(pool, "test")
    await lease.take()
    engine = Engine(pool, await Clock.of(pool, "test"), lease, SilentPhones())
    running = asyncio.create_task(engine.run())
    yield engine
    running.cancel()
    await asyncio.wait([running])
    await engine.stop()


async def requested(engine: Engine, ahead: float | None = None, **dial: Any) -> Interaction:
    settings = {"name": "support", "numbers": ["600"], "dial": {**ALWAYS, **dial}}
    await queues.put(engine.pool, Queue.model_validate(settings))
    engine.queues_changed("support")
    at = None if ahead is None else engine.clock.now() + timedelta(seconds=ahead)
    return await engine.request(CallbackRequested("operator:admin", "support", CUSTOMER, at))


async def until(pool: Pool, it: Interaction, status: Status) -> Interaction:
    async with asyncio.timeout(10):
        while (now := await interactions.load(pool, it.id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return now


@pytest.mark.parametrize("ahead", [0.3, 2.0])
async def test_a_callback_comes_into_line_on_time_whichever_process_runs_then(pool: Pool, ahead: float) -> None:
    async with process(pool) as first:
        it = await requested(first, ahead)
        assert (it.status, it.request.origin) == (Status.SCHEDULED, Origin.SCHEDULED)
    await asyncio.sleep(0.5)  # nobody runs; the first of the two is due meanwhile
    assert (await interactions.load(pool, it.id)).status is Status.SCHEDULED

    async with process(pool) as second:
        due = await until(pool, it, Status.OPEN)

        late = (second.clock.now() - it.deadlines[Deadline.DUE]).total_seconds()
        assert 0 <= late < 2
        assert due.place.queued_at == it.deadlines[Deadline.DUE]


async def test_a_callback_expires_although_nobody_ran_when_it_should_have(pool: Pool) -> None:
    async with process(pool) as first:
        it = await requested(first, ttl=0.3)
    await asyncio.sleep(0.4)

    async with process(pool):
        assert (await until(pool, it, Status.CLOSED)).outcome == "expired"
