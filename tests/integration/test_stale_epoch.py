"""Whoever lost the shard stores nothing, whatever it waited for as it was lost; and frees nobody else's key."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from locks import locked, waits_for_a_lock
from store_book import QUEUE, Book

from routing.core.context import Context
from routing.core.errors import Conflict
from routing.core.events import LegGone, Offered
from routing.core.interaction import Interaction, Role
from routing.core.lifecycle import Decision, decide
from routing.store import idempotency, interactions, shards
from routing.store.database import Pool
from routing.store.read import feed

SHARD = "ringback-00"
AGENT = "UPDATE agents SET name = name WHERE id = '1001'"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def refused_offer(book: Book) -> tuple[Interaction, Decision]:
    """A row and what becomes of it, which frees the agent."""
    it = await book.happen(await book.callback(), Offered("1001"))
    agent = it.leg(Role.AGENT)
    assert agent
    return it, decide(it, Context(QUEUE, book.now), LegGone(agent.id, 486))


async def test_a_save_that_waited_for_its_row_notices_that_the_shard_was_taken(
    book: Book, pool: Pool, dsn: str
) -> None:
    it = await book.call()
    decision = decide(it, Context(QUEUE, book.now), LegGone(it.legs[0].id))
    async with locked(dsn, "SELECT FROM interactions WHERE id = $1 FOR UPDATE", it.id):
        saving = asyncio.create_task(interactions.save(pool, book.owner, it, decision, book.now))
        await waits_for_a_lock(pool)
        await pool.execute("UPDATE shards SET until = '-infinity'")
        assert await shards.take(pool, SHARD, "another") == book.owner.epoch + 1, "it is not kept from the shard"
    with pytest.raises(Conflict):
        await saving
    assert await interactions.load(pool, it.id) == it


async def test_the_shard_is_taken_only_after_what_is_being_stored_for_its_owner(
    book: Book, pool: Pool, dsn: str
) -> None:
    """It has looked at the epoch already, and waits for the agent's row."""
    it, decision = await refused_offer(book)
    async with locked(dsn, AGENT):
        saving = asyncio.create_task(interactions.save(pool, book.owner, it, decision, book.now))
        await waits_for_a_lock(pool)
        await pool.execute("UPDATE shards SET until = '-infinity'")
        taking = asyncio.create_task(shards.take(pool, SHARD, "another"))
        await waits_for_a_lock(pool, 2)
    await saving
    assert await taking == book.owner.epoch + 1
    assert (await interactions.load(pool, it.id)).version == it.version + 1


async def test_a_line_of_the_feed_that_is_committed_late_is_not_behind_a_readers_back(
    book: Book, pool: Pool, dsn: str
) -> None:
    """Its place is drawn when nothing is waited for any more: an agent's row may be locked for long."""
    it, decision = await refused_offer(book)
    async with locked(dsn, AGENT):
        saving = asyncio.create_task(interactions.save(pool, book.owner, it, decision, book.now))
        await waits_for_a_lock(pool)
        await book.call("+4915112345699")
        seen = await feed.last_cursor(pool)
    await saving
    ids, _ = await feed.changed_after(pool, seen)
    assert [UUID(str(each)) for each in ids] == [it.id]


async def test_a_process_that_was_replaced_does_not_free_its_successors_key(pool: Pool) -> None:
    request = b"x" * 32
    assert await idempotency.begin(pool, "agent:1001", "k", request, 1, NOW) is None
    assert await idempotency.begin(pool, "agent:1001", "k", request, 2, NOW) is None
    await idempotency.forget(pool, "agent:1001", "k", 1)
    await idempotency.keep(pool, "agent:1001", "k", 1, 200, "", b"the old one's")
    third = await idempotency.begin(pool, "agent:1001", "k", request, 2, NOW)
    assert third and third.status is None, "the successor is still at it"
