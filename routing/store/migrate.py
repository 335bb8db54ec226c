"""Brings the schema up to date: numbered .sql files, each applied once, checked by its checksum; then the roles."""

from __future__ import annotations  # asyncpg's types take parameters in its stubs only

import hashlib
from importlib.resources import files

import asyncpg

from routing.core.errors import RingbackError
from routing.store import hosts, queue_numbers
from routing.store.database import Pool, connection
from routing.store.roles import secure

_LOCK = 7_264_225  # advisory: of several starters one migrates, the others wait


class SchemaMismatch(RingbackError):
    """The database holds a migration this version of Ringback does not know, or an altered one."""

    code = "schema_mismatch"


def _scripts() -> list[tuple[str, str]]:
    folder = files("routing.store") / "migrations"
    found = [each for each in folder.iterdir() if each.name.endswith(".sql")]
    return sorted((each.name, each.read_text(encoding="utf-8")) for each in found)


class SchemaBehind(RingbackError):
    """The database lacks a migration of this version of Ringback."""

    code = "schema_behind"


async def migrate(dsn: str, service_password: str | None = None) -> list[str]:
    """As the database's owner: apply what is missing and return its names, and give every role its rights.

    `service_password` becomes that of the service's role. Raises SchemaMismatch for a foreign or altered schema,
    RolesNotMade where the owner may not make roles.
    """
    c = await hosts.connect(dsn)
    try:
        return await bring_up_to_date(c, service_password)
    finally:
        await c.close()


async def bring_up_to_date(c: asyncpg.Connection[asyncpg.Record], service_password: str | None) -> list[str]:
    """The same over a connection that is there."""
    await c.execute("SELECT pg_advisory_lock($1)", _LOCK)
    async with c.transaction():
        done = await _apply(c)
        await secure(c, service_password)
        return done


async def require_current(pool: Pool) -> None:
    """Raises SchemaBehind."""
    async with connection(pool) as c:
        done = {row["name"] for row in await c.fetch("SELECT name FROM schema_migrations")}
    if missing := [name for name, _ in _scripts() if name not in done]:
        raise SchemaBehind(f"The database lacks {missing[0]}: run `ringback migrate` as the database's owner.")


async def _apply(c: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    await c.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await c.fetch("SELECT name, checksum FROM schema_migrations")
    done: dict[str, str] = {row["name"]: row["checksum"] for row in rows}
    scripts = _scripts()
    if unknown := set(done) - {name for name, _ in scripts}:
        raise SchemaMismatch(f"The database was migrated by a newer Ringback: {', '.join(sorted(unknown))}.")
    applied = [name for name, sql in scripts if await _apply_one(c, name, sql, done.get(name))]
    await queue_numbers.read_again(c)
    return applied


async def _apply_one(c: asyncpg.Connection[asyncpg.Record], name: str, sql: str, applied: str | None) -> bool:
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if applied is not None:
        if applied != checksum:
            raise SchemaMismatch(f"Migration {name} is not the one that was applied.")
        return False
    await c.execute(sql)
    await c.execute("INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum)
    return True
