"""Planted bugs in the SQL. Each is in force while its context is open."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from routing.store import shards
from routing.store.interactions import saving
from routing.store.read import line
from tests.model.conftest import Database
from tests.model.machine import EMPTY

Mutant = Callable[[Database], AbstractContextManager[Any]]
_N = len(saving._FIELDS)


def _in_saves(old: str, new: str) -> Mutant:
    """Another text in the statements that save and insert."""

    @contextmanager
    def mutated(_: Database) -> Iterator[None]:
        saves, inserts = ({when: sql.replace(old, new) for when, sql in each.items()} for each in _STATEMENTS)
        assert saves != saving._SAVE or inserts != saving._INSERT, f"not there any more: {old}"
        with patch.object(saving, "_SAVE", saves), patch.object(saving, "_INSERT", inserts):
            yield

    return mutated


_STATEMENTS = (saving._SAVE, saving._INSERT)


def _in(module: Any, name: str, old: str, new: str) -> Mutant:
    statement: str = getattr(module, name)
    assert old in statement, f"not there any more: {old}"
    return lambda _: patch.object(module, name, statement.replace(old, new))


def _without_index(name: str, definition: str) -> Mutant:
    @contextmanager
    def mutated(database: Database) -> Iterator[None]:
        database.execute(f"DROP INDEX {name}")
        try:
            yield
        finally:
            database.execute(EMPTY)
            database.execute(f"CREATE UNIQUE INDEX {name} ON interactions {definition}")

    return mutated


class Planted(NamedTuple):
    """`breaks`: on what Postgres and the model differ then, as `machine.same` calls it."""

    breaks: str
    plant: Mutant


MUTANTS: dict[str, Planted] = {
    "the save ignores the version": Planted("answers", _in_saves(f"version = ${8 + _N} - 1", "version >= 0")),
    "the save ignores version and status": Planted(
        "answers",
        _in_saves(f"version = ${8 + _N} - 1 AND status = ${9 + _N}", f"version >= 0 AND ${9 + _N}::text IS NOT NULL"),
    ),
    "the save ignores the epoch": Planted("answers", _in_saves("s.epoch = $3", "$3::bigint IS NOT NULL")),
    "the save ignores the number rules": Planted("answers", _in_saves("AND NOT EXISTS (SELECT FROM refused)", "")),
    "the agent is not freed": Planted(
        "desks", _in_saves("'freed' IS NOT NULL RETURNING", "'freed' = 'never' RETURNING")
    ),
    "a leg never ends": Planted("rows", _in_saves("ended_at = excluded.ended_at", "ended_at = NULL")),
    "two callbacks may wait for one number": Planted(
        "answers",
        _without_index(
            "one_pending_callback",
            "(queue, number) WHERE requested_at IS NOT NULL AND status NOT IN ('wrap_up', 'closed')",
        ),
    ),
    "an agent may have two interactions": Planted(
        "answers",
        _without_index(
            "one_interaction_per_agent", "(assigned_to) WHERE status IN ('offered', 'connected', 'wrap_up')"
        ),
    ),
    "a running lease can be taken": Planted(
        "epochs", _in(shards, "_TAKE", "WHERE s.until = '-infinity' OR s.until = $4", "WHERE true OR s.until = $4")
    ),
    "a stale owner renews": Planted(
        "renewals",
        _in(shards, "_RENEW", "AND owner = $2 AND epoch = $3", "AND $2::text IS NOT NULL AND $3::bigint IS NOT NULL"),
    ),
    "the line is served from the wrong end": Planted(
        "the line", _in(line, "_LINE", "ORDER BY front DESC", "ORDER BY queued_at DESC, front DESC")
    ),
    "agents at work count as free": Planted(
        "free agents", _in(line, "_FREE", "w.agent = a.id", "w.agent = a.id AND false")
    ),
}
