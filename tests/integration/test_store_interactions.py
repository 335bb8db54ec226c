"""Saving decisions: compare-and-set, the shard's epoch, invariants in the schema, the feed beside every change."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from store_book import QUEUE, Book

from routing.core.context import Context
from routing.core.errors import AgentBusy, Conflict, DuplicateCallback
from routing.core.events import LegAnswered, LegGone, Offered, PromptFinished, TimeReached
from routing.core.interaction import Hears, Prompt, Role, Room, Sound, Status, Subtype
from routing.core.lifecycle import Decision, decide
from routing.store import agents, interactions, shards
from routing.store.database import connection
from routing.store.read import feed, line


async def test_a_whole_life_is_stored_as_it_was_decided(book: Book) -> None:
    it = await book.callback()
    it = await book.happen(it, Offered("1001"))
    agent = it.leg(Role.AGENT)
    assert agent
    it = await book.happen(it, LegAnswered(agent.id))
    customer = it.leg(Role.CUSTOMER)
    assert customer and it.attempts[0].id == customer.id
    it = await book.happen(it, LegAnswered(customer.id))
    it = await book.happen(it, LegGone(customer.id))
    assert it.attempts[0].outcome == "answered" and not it.legs
    lines = await feed.of_interaction(book.pool, it.id)
    assert [line.seq for line in lines] == list(range(1, it.lines + 1))
    assert {line.at for line in lines if line.event in ("call_ended", "attempt_ended")} == {lines[-1].at}


async def test_of_two_writers_only_the_first_wins(book: Book) -> None:
    it = await book.callback()
    first, second = (decide(it, Context(QUEUE, book.now), Offered(agent)) for agent in ("1001", "1002"))
    await interactions.save(book.pool, book.owner, it, first, book.now)
    with pytest.raises(Conflict):
        await interactions.save(book.pool, book.owner, it, second, book.now)
    assert (await interactions.load(book.pool, it.id)).assigned_to == "1001"


async def test_a_stale_epoch_changes_nothing_and_writes_no_feed(book: Book) -> None:
    it = await book.callback()
    async with connection(book.pool) as c:
        await c.execute("UPDATE shards SET until = '-infinity'")
    assert await shards.take(book.pool, "ringback-00", "another") == book.owner.epoch + 1
    with pytest.raises(Conflict):
        await book.happen(it, Offered("1001"))
    assert await interactions.load(book.pool, it.id) == it
    assert len(await feed.of_interaction(book.pool, it.id)) == it.lines
    with pytest.raises(Conflict):
        await book.call()
    assert not await shards.renew(book.pool, "ringback-00", "me", book.owner.epoch)


async def test_a_lease_that_runs_cannot_be_taken(book: Book) -> None:
    assert await shards.take(book.pool, "ringback-00", "another") is None


async def test_an_agent_has_one_thing_to_do_at_a_time(book: Book) -> None:
    one, other = await book.callback("+4915112345671"), await book.callback("+4915112345672")
    await book.happen(one, Offered("1001"))
    with pytest.raises(AgentBusy):
        await book.happen(other, Offered("1001"))
    assert (await interactions.load(book.pool, other.id)).status is Status.OPEN
    assert (await agents.get(book.pool, "1001")).interaction == one.id


async def test_a_number_has_one_pending_callback_in_a_queue(book: Book) -> None:
    await book.callback()
    with pytest.raises(DuplicateCallback):
        await book.requested()
    assert (await book.callback("+4915112345679")).subtype is Subtype.CALLBACK


async def test_who_ignores_an_offer_is_free_and_not_ready_in_the_same_transaction(book: Book) -> None:
    async with connection(book.pool) as c:
        await c.execute("UPDATE agents SET availability = 'ready' WHERE id = '1001'")
    it = await book.happen(await book.callback(), Offered("1001"))
    assert (await agents.get(book.pool, "1001")).work == "offered"
    it = await book.happen(it, TimeReached(), 21)
    assert it.status is Status.OPEN
    agent = await agents.get(book.pool, "1001")
    assert (agent.work, agent.availability, agent.reason) == (None, "not_ready", "rona")


async def test_places_count_live_callers_and_callbacks_in_one_line(book: Book) -> None:
    first, second = await book.call("+4915112345671"), await book.callback("+4915112345672")
    third = await book.call("+4915112345673")
    places = await line.places(book.pool, [third, first, second])
    assert [places[each.id] for each in (first, second, third)] == [1, 2, 3]


async def test_living_are_those_with_channels_or_in_somebodys_hands(book: Book) -> None:
    live, waiting = await book.call("+4915112345671"), await book.callback("+4915112345672")
    living, _ = await interactions.load_living(book.pool, "ringback-00")
    assert [each.id for each in living] == [live.id]
    offered = await book.happen(waiting, Offered("1001"))
    living, _ = await interactions.load_living(book.pool, "ringback-00")
    assert {each.id for each in living} == {live.id, offered.id}


async def test_what_is_due_is_found(book: Book) -> None:
    it = await book.call()
    assert it.wake_at
    assert await interactions.due_until(book.pool, "ringback-00", it.wake_at) == [(it.id, it.wake_at)]
    assert await interactions.due_until(book.pool, "ringback-00", it.wake_at - timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    "impossible",
    [
        "status = 'connected'",
        "status = 'closed'",
        "status = 'sleeping'",
        "subtype = 'callback'",
        "assigned_to = '1001'",
        "number = '12345'",
        "closed_at = now()",
    ],
)
async def test_the_schema_refuses_what_cannot_be(book: Book, impossible: str) -> None:
    it = await book.call()
    async with book.pool.acquire() as c:
        with pytest.raises(Exception, match="violates check constraint"):
            await c.execute(f"UPDATE interactions SET {impossible} WHERE id = $1", UUID(str(it.id)))


async def test_a_prompt_that_plays_is_remembered_with_its_words(book: Book) -> None:
    it = await book.happen(await book.call(), TimeReached(), 2)
    assert it.playing and it.waiting.words == ("menu-offer",)
    it = await book.happen(it, PromptFinished(it.legs[0].id, it.playing))
    assert it.playing is None


@pytest.mark.parametrize("hears", [Room("consult"), Prompt("say-9", ("one", "two")), Sound.RINGBACK, Sound.NOTHING])
async def test_what_a_leg_hears_is_stored_also_where_nothing_else_tells_it(book: Book, hears: Hears) -> None:
    it = await book.call()
    other = it.changed(legs=(replace(it.legs[0], hears=hears),))
    await interactions.save(book.pool, book.owner, it, Decision(other), book.now)
    assert (await interactions.load(book.pool, it.id)).legs == other.legs


async def test_an_earlier_version_finds_the_prompt_that_plays_where_it_looks_for_it(book: Book) -> None:
    it = await book.happen(await book.call(), TimeReached(), 2)
    async with connection(book.pool) as c:
        waiting = await c.fetchval("SELECT waiting FROM interactions WHERE id = $1", it.id)
    assert it.playing and waiting["playing"] == it.playing
