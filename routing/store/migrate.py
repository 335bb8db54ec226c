"""Brings the schema up to date: numbered .sql files, each applied once, checked by its checksum."""

from __future__ import annotations  # asyncpg's types take parameters in its stubs only

import hashlib
from importlib.resources import files

import asyncpg

from routing.errors import RingbackError
from routing.store import queue_numbers

_LOCK = 7_264_225  # advisory: of several starters one migrates, the others wait


class SchemaMismatch(RingbackError):
    """The database holds a migration this version of Ringback does not know, or an altered one."""

    code = "schema_mismatch"


def _scripts() -> list[tuple[str, str]]:
    folder = files("routing.store") / "migrations"
    found = [each for each in folder.iterdir() if each.name.endswith(".sql")]
    return sorted((each.name, each.read_text(encoding="utf-8")) for each in found)


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing and return its names. Raises SchemaMismatch for a foreign or altered schema."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        async with connection.transaction():
            return await _apply(connection)
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    done: dict[str, str] = {row["name"]: row["checksum"] for row in rows}
    scripts = _scripts()
    if unknown := set(done) - {name for name, _ in scripts}:
        raise SchemaMismatch(f"The database was migrated by a newer Ringback: {', '.join(sorted(unknown))}.")
    applied = [name for name, sql in scripts if await _apply_one(connection, name, sql, done.get(name))]
    await queue_numbers.read_again(connection)
    return applied


async def _apply_one(
    connection: asyncpg.Connection[asyncpg.Record], name: str, sql: str, applied: str | None
) -> bool:
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if applied is not None:
        if applied != checksum:
            raise SchemaMismatch(f"Migration {name} is not the one that was applied.")
        return False
    await connection.execute(sql)
    await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum)
    return True
