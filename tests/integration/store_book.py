"""Interactions that live in the database, without engine or Asterisk."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from routing.core.context import Context
from routing.core.events import CallerArrived, DigitPressed, Event, LegGone, TimeReached
from routing.core.interaction import Interaction
from routing.core.lifecycle import arrive, decide
from routing.core.queues import Queue
from routing.store import agents, interactions, queues, shards
from routing.store.agents import Settings
from routing.store.database import Pool, connection
from routing.store.interactions import Ownership

QUEUE = Queue.model_validate(
    {"name": "support", "callback": {"initial_delay": 0}, "dial": {"window": ["00:00", "24:00"]},
     "workflow": {"steps": [
        {"after": 1, "menu": "offer", "keys": {"1": "wait", "2": "callback"}}]}}
)  # fmt: skip


class Book:
    """Lets things happen to interactions one second apart, and stores what is decided."""

    def __init__(self, pool: Pool, owner: Ownership, now: datetime) -> None:
        self.pool = pool
        self.owner = owner
        self.now = now

    async def call(self, number: str = "+4915112345678") -> Interaction:
        self.now += timedelta(seconds=1)
        decision = arrive(uuid4(), Context(QUEUE, self.now), 1, CallerArrived(uuid4().hex, "600", number))
        await interactions.create(self.pool, self.owner, decision, self.now)
        return await interactions.load(self.pool, decision.interaction.id)

    async def happen(self, it: Interaction, event: Event, after: float = 1) -> Interaction:
        self.now += timedelta(seconds=after)
        decision = decide(it, Context(QUEUE, self.now), event)
        await interactions.save(self.pool, self.owner, it, decision, self.now)
        stored = await interactions.load(self.pool, it.id)
        assert stored == replace(decision.interaction, version=it.version + 1)
        return stored

    async def requested(self, number: str = "+4915112345678") -> Interaction:
        it = await self.happen(await self.call(number), TimeReached(), 2)
        return await self.happen(it, DigitPressed(it.legs[0].id, "2"))

    async def callback(self, number: str = "+4915112345678") -> Interaction:
        it = await self.requested(number)
        return await self.happen(it, LegGone(it.legs[0].id))


async def open_book(pool: Pool) -> Book:
    """With the queue, two agents and the shard."""
    epoch = await shards.take(pool, "ringback-00", "me")
    assert epoch
    await queues.put(pool, QUEUE)
    for agent in ("1001", "1002"):
        await agents.put(pool, agent, Settings())
    async with connection(pool) as c:
        return Book(pool, Ownership("ringback-00", epoch), await c.fetchval("SELECT now()"))
