"""Planted bugs in the SQL. Each is in force while its context is open."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from routing.store import shards
from routing.store.interactions import saving, statements
from routing.store.interactions.statements import Parts, Statement
from routing.store.read import line
from tests.model.conftest import Database
from tests.model.machine import EMPTY

Mutant = Callable[[Database], AbstractContextManager[Any]]


def _in_saves(old: str, new: str) -> Mutant:
    """Another text, of what a pattern finds, in the statements that save and insert."""

    @contextmanager
    def mutated(_: Database) -> Iterator[None]:
        changed: set[bool] = set()

        def statement(parts: Parts) -> Statement:
            made = statements.statement(parts)
            sql, times = re.subn(old, new, made.sql)
            changed.add(times > 0)
            return Statement(sql, made.names)

        with patch.object(saving, "statement", statement):
            yield
        assert True in changed, f"not there any more: {old}"

    return mutated


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
            database.execute(f"CREATE UNIQUE INDEX {name} ON {definition}")

    return mutated


class Planted(NamedTuple):
    """`breaks`: on what Postgres and the model differ then, as `machine.same` calls it."""

    breaks: str
    plant: Mutant


MUTANTS: dict[str, Planted] = {
    "the save ignores the version": Planted("answers", _in_saves(r"version = \$\d+ - 1", "version >= 0")),
    "the save ignores version and status": Planted(
        "answers",
        _in_saves(r"version = \$\d+ - 1 AND status = (\$\d+)", r"version >= 0 AND \1::text IS NOT NULL"),
    ),
    "the save ignores the epoch": Planted("answers", _in_saves(r"s\.epoch = (\$\d+)", r"\1::bigint IS NOT NULL")),
    "the save ignores the number rules": Planted("answers", _in_saves(r"AND NOT EXISTS \(SELECT FROM refused\)", "")),
    "the agent is not freed": Planted(
        "desks",
        _in_saves(r"(a\.interaction = s\.id .*\n *RETURNING a\.agent)", r"false AND \1"),
    ),
    "a leg never ends": Planted("rows", _in_saves(r"ended_at = excluded\.ended_at", "ended_at = NULL")),
    "two callbacks may wait for one number": Planted(
        "answers",
        _without_index(
            "one_pending_callback",
            "interactions (queue, number) WHERE requested_at IS NOT NULL AND status NOT IN ('wrap_up', 'closed')",
        ),
    ),
    "an agent may have two interactions": Planted(
        "answers",
        _without_index("one_assignment_per_agent", "assignments (agent) WHERE ended_at IS NULL"),
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
