"""What agents work on and worked on, and what they were before: nothing of it is forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from store_book import Book

from routing.core.agents import Availability
from routing.core.errors import AgentBusy
from routing.core.events import LegAnswered, LegGone, Offered, OfferRejected, Reassigned, TimeReached, WorkDone
from routing.core.interaction import Interaction, Role, Stage
from routing.local.postgres.server import Postgres
from routing.store import agents, interactions
from routing.store import migrate as migrations
from routing.store.agents import Settings
from routing.store.database import Pool, connection
from routing.store.migrate import migrate


async def _assignments(book: Book) -> list[tuple[Any, ...]]:
    """Agent, state, why it ended; in the order in which they began."""
    async with connection(book.pool) as c:
        rows = await c.fetch("SELECT agent, state, end_reason FROM assignments ORDER BY id")
    return [tuple(row.values()) for row in rows]


async def _talking(book: Book, it: Interaction) -> Interaction:
    it = await book.happen(it, LegAnswered(it.legs[-1].id))
    customer = it.leg(Role.CUSTOMER)
    assert customer
    return await book.happen(it, LegAnswered(customer.id))


async def test_an_assignment_has_its_times_and_ends_with_a_reason(book: Book) -> None:
    it = await book.happen(await book.callback(), Offered("1001"))
    offered_at = book.now
    it = await _talking(book, it)
    it = await book.happen(it, LegGone(it.legs[-1].id))
    assert it.stage is Stage.READY_TO_CALL
    it = await book.happen(it, WorkDone("1001"))
    wrap_up_at = book.now
    await book.happen(it, WorkDone("1001"))
    async with connection(book.pool) as c:
        row = await c.fetchrow("SELECT * FROM assignments")
    assert (row["interaction"], row["agent"], row["role"], row["end_reason"]) == (it.id, "1001", "owner", "closed")
    seconds = [row[f"{what}_at"] - offered_at for what in ("started", "busy", "wrap_up", "ended")]
    later = wrap_up_at - offered_at
    assert seconds == [timedelta(0), timedelta(seconds=1), later, later + timedelta(seconds=1)]


async def test_each_agent_it_was_offered_to_has_an_assignment(book: Book) -> None:
    it = await book.happen(await book.callback(), Offered("1001"))
    it = await book.happen(it, OfferRejected("1001"))
    it = await book.happen(it, Offered("1002"))
    await book.happen(it, TimeReached(), 21)
    assert await _assignments(book) == [("1001", "offered", "rejected"), ("1002", "offered", "rona")]


async def test_what_is_given_to_somebody_else_changes_its_owner_in_one_statement(book: Book) -> None:
    it = await book.happen(await book.callback(), Offered("1001"))
    await book.happen(it, Reassigned("operator", "1002"))
    assert await _assignments(book) == [("1001", "offered", "reassigned"), ("1002", "offered", None)]


async def test_a_second_assignment_of_an_agent_is_an_error_and_changes_nothing(book: Book) -> None:
    one, other = await book.callback("+4915112345671"), await book.callback("+4915112345672")
    await book.happen(one, Offered("1001"))
    with pytest.raises(AgentBusy):
        await book.happen(other, Offered("1001"))
    assert await interactions.load(book.pool, other.id) == other
    assert await _assignments(book) == [("1001", "offered", None)]


async def test_what_an_agent_was_before_is_kept_whoever_changed_it(book: Book, pool: Pool) -> None:
    began = (await agents.get(pool, "1001")).since
    await agents.set_availability(pool, "1001", Availability.READY, None)
    await agents.set_availability(pool, "1001", Availability.READY, None)
    ready = (await agents.get(pool, "1001")).since
    await book.happen(await book.happen(await book.callback(), Offered("1001")), TimeReached(), 21)
    await agents.put(pool, "1001", Settings("another name"))
    await agents.delete(pool, "1001")
    await agents.put(pool, "1001", Settings())
    await agents.delete(pool, "1001")
    async with connection(pool) as c:
        rows = await c.fetch("SELECT state, reason, since, until FROM agent_states WHERE agent = '1001' ORDER BY id")
        ended = await c.fetchval("SELECT since FROM agents WHERE id = '1001'")
    assert [tuple(row.values()) for row in rows] == [
        ("logged_out", None, began, ready),
        ("ready", None, ready, book.now),
        ("not_ready", "rona", book.now, max(book.now, ended)),  # the book's clock is ahead
    ]


_BEFORE = """
INSERT INTO shards (name) VALUES ('s');
INSERT INTO queues (name, version) VALUES ('q', 1);
INSERT INTO queue_versions (name, version, config) VALUES ('q', 1, '{}');
INSERT INTO agents (id) VALUES ('1001'), ('1002'), ('1003'), ('1004');
INSERT INTO interactions (id, shard, version, status, subtype, queue, queue_version, dialled_number, assigned_to,
                          desk, priority, front, entered_at, queued_at, updated_at, closed_at, outcome,
                          case_data, waiting, deadlines, excluded, legs_asked, lines)
SELECT gen_random_uuid(), 's', 1, status, 'inbound', 'q', 1, '600', agent, '{}', 0, false, now(), now(),
       '2026-01-01Z', CASE WHEN status = 'closed' THEN now() END, CASE WHEN status = 'closed' THEN 'handled' END,
       '{}', '{}', '{}', '{}', 0, 0
  FROM (VALUES ('offered', '1001'), ('connected', '1002'), ('wrap_up', '1003'), ('closed', '1003'), ('open', NULL),
               ('connected', '1004')) rows (status, agent);
INSERT INTO agent_work (agent, interaction, role, since)
SELECT assigned_to, id, CASE status WHEN 'connected' THEN 'busy' ELSE status END, '2026-02-02Z'
  FROM interactions WHERE status IN ('offered', 'connected', 'wrap_up') AND assigned_to <> '1004';
"""


async def test_what_agents_had_before_the_upgrade_they_have_after_it(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one whose work was lost has it again."""
    scripts = migrations._scripts()
    owner = await asyncpg.connect(postgres.dsn_of("postgres"))
    await owner.execute("CREATE DATABASE before_assignments")
    await owner.close()
    dsn = postgres.dsn_of("before_assignments")
    monkeypatch.setattr(migrations, "_scripts", lambda: [each for each in scripts if each[0] < "0006"])
    monkeypatch.setattr(migrations, "secure", _no_roles)
    await migrate(dsn)
    c = await asyncpg.connect(dsn)
    await c.execute(_BEFORE)
    monkeypatch.undo()
    assert await migrate(dsn) == [name for name, _ in scripts if name >= "0006"]
    rows = await c.fetch("SELECT agent, role, state, started_at, busy_at, wrap_up_at FROM assignments ORDER BY agent")
    await c.close()
    then, lost = datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert [tuple(row.values()) for row in rows] == [
        ("1001", "owner", "offered", then, None, None),
        ("1002", "owner", "busy", then, then, None),
        ("1003", "owner", "wrap_up", then, then, then),
        ("1004", "owner", "busy", lost, lost, None),
    ]


async def _no_roles(*_: object) -> None:
    """They are given rights on tables that were not there yet."""
