"""Rows that a newer version wrote: what this version does not know is ignored, and is still there afterwards."""

import hashlib
from importlib.resources import files
from typing import Any

import pytest
from store_book import QUEUE, Book

from routing.core.events import TimeReached
from routing.core.interaction import Deadline, Interaction, Status
from routing.store import interactions, queues
from routing.store.database import Pool, connection
from routing.store.migrate import SchemaMismatch, migrate

TAGGED = {
    "0001_first.sql": "ee40cf0aced82116bee9034aa6ea2249258cccba8617371162db35f474cd9954",
    "0002_requests_made.sql": "361aa5fd4c6d0a0f575e6ee3e7012f60638c699a46108f4c0acaf073de4b07c9",
    "0003_bans.sql": "3c70ea6c263c909e88801a0adbc20358d5cdf60299d11c1a8f974bd08363ed4e",
    "0004_clock.sql": "2eb8dee761738ea119ef16c4ddfb150e3c16c7500bd0ef1c898693e5875a2905",
    "0005_answered_numbers.sql": "5340a667767b2d9ee70aafd3e7e2b0ae9bd8181da82f1986a02678b0df2ca8db",
    "0006_assignments.sql": "d44794ae2d030ee02fa53a65452a0eeed65f8abdeee643dcb9937d09ecfd3229",
}


def test_migrations_that_databases_were_made_with_are_frozen() -> None:
    """There are databases they were applied to; whatever changes is a migration of its own."""
    there = {each.name: each.read_bytes() for each in (files("routing.store") / "migrations").iterdir()}
    assert {name: hashlib.sha256(there[name]).hexdigest() for name in TAGGED} == TAGGED


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("INSERT INTO schema_migrations VALUES ('9999_later.sql', 'x')", "newer Ringback: 9999_later.sql"),
        ("UPDATE schema_migrations SET checksum = 'x' WHERE name = '0002_requests_made.sql'", "0002_requests_made"),
    ],
)
async def test_a_database_of_a_newer_version_or_an_altered_one_is_refused(
    owner: Pool, dsn: str, changed: str, told: str
) -> None:
    async with connection(owner) as c:
        await c.execute(changed)
        before = await c.fetch("SELECT * FROM schema_migrations ORDER BY name")
        with pytest.raises(SchemaMismatch, match=told):
            await migrate(dsn)
        assert await c.fetch("SELECT * FROM schema_migrations ORDER BY name") == before


async def _add(pool: Pool, it: Interaction, column: str, **keys: Any) -> None:
    async with connection(pool) as c:
        await c.execute(f"UPDATE interactions SET {column} = {column} || $2 WHERE id = $1", it.id, keys)


async def _stored(pool: Pool, it: Interaction, column: str) -> dict[str, Any]:
    async with connection(pool) as c:
        found: dict[str, Any] = await c.fetchval(f"SELECT {column} FROM interactions WHERE id = $1", it.id)
    return found


@pytest.mark.parametrize(
    ("column", "key", "value"),
    [
        ("waiting", "language", "fr"),
        ("desk", "ring_twice", True),
        ("deadlines", "tea_time", "2031-01-01T00:00:00+00:00"),
    ],
)
async def test_a_key_of_a_newer_version_is_ignored_and_kept(
    book: Book, pool: Pool, column: str, key: str, value: object
) -> None:
    it = await book.call()
    await _add(pool, it, column, **{key: value})
    assert await interactions.load(pool, it.id) == it
    it = await book.happen(it, TimeReached(), 2)
    assert it.status is Status.BOT
    assert (await _stored(pool, it, column))[key] == value


async def test_what_this_version_knows_still_goes(book: Book, pool: Pool) -> None:
    it = await book.call()
    assert Deadline.NEXT_STEP in it.deadlines
    it = await book.happen(it, TimeReached(), 2)
    assert Deadline.NEXT_STEP not in it.deadlines
    assert Deadline.NEXT_STEP not in await _stored(pool, it, "deadlines")


async def test_a_queue_with_keys_of_a_newer_version_is_read(pool: Pool, owner: Pool) -> None:
    await queues.put(pool, QUEUE)
    config = QUEUE.model_dump(mode="json")
    newer = {**config, "fax": True, "dial": {**config["dial"], "polka": 3}}
    newer["workflow"]["steps"][0]["colour"] = "blue"
    async with connection(owner) as c:  # the service itself cannot change what was a version
        await c.execute("UPDATE queue_versions SET config = $1", newer)
    assert (await queues.get(pool, QUEUE.name)).queue == QUEUE
