"""API tokens: opaque, random, and kept only as their SHA-256."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import asyncpg

from routing.core.errors import NotFound
from routing.store import hosts
from routing.store.database import Pool, connection, database_errors

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]

PREFIX = "rb_"

# The share lock lets a change of the password, or the agent's end, come before or after this, never in between: it
# waits for one that is under way, then looks again; a change that comes after it finds this token, and ends it.
_ADD = """
WITH whose AS (
    SELECT id FROM agents WHERE id = $3 AND deleted_at IS NULL AND ($5::text IS NULL OR password_hash = $5) FOR SHARE
)
INSERT INTO tokens (hash, role, agent, expires_at)
SELECT $1, $2, $3, now() + make_interval(secs => $4) WHERE $3::text IS NULL OR EXISTS (SELECT FROM whose)
RETURNING hash
"""

_FIND = """
SELECT t.role, t.agent, t.expires_at FROM tokens t LEFT JOIN agents a ON a.id = t.agent
 WHERE t.hash = $1 AND (t.expires_at IS NULL OR t.expires_at > now()) AND a.deleted_at IS NULL
"""

_VALID = """
SELECT t.hash FROM tokens t LEFT JOIN agents a ON a.id = t.agent
 WHERE t.hash = ANY($1) AND (t.expires_at IS NULL OR t.expires_at > now()) AND a.deleted_at IS NULL
"""


class Role(StrEnum):
    """What a token allows."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls. `agent` is set for every token of role agent."""

    role: Role
    agent: str | None = None
    expires_at: datetime | None = None


def hash_of(token: str) -> bytes:
    """What is stored of a token. Any string has one, even one that is not valid Unicode."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


async def issue(pool: Pool, role: str, agent: str | None = None) -> str:
    """A new token, for ever. Raises NotFound for an unknown agent."""
    token = _new()
    async with connection(pool) as c:
        await _issue(c, token, role, agent)
    return token


async def begin_session(pool: Pool, agent: str, password_hash: str, ttl: timedelta) -> str | None:
    """A new token of the agent's, for `ttl`; None when the password is another one by now, or the agent is gone."""
    token = _new()
    async with connection(pool) as c:
        return token if await _store(c, token, Role.AGENT, agent, ttl.total_seconds(), password_hash) else None


async def create_token(dsn: str, role: str, agent: str | None = None) -> str:
    """The same for commands, which have no pool."""
    token = _new()
    with database_errors():
        connection_ = await hosts.connect(dsn, timeout=5)
        try:
            await _issue(connection_, token, role, agent)
        finally:
            await connection_.close()
    return token


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(32)


async def _issue(c: "_Connection", token: str, role: str, agent: str | None) -> None:
    if not await _store(c, token, role, agent):
        raise NotFound(f"There is no agent {agent}.")


async def _store(
    c: "_Connection",
    token: str,
    role: str,
    agent: str | None,
    seconds: float | None = None,
    password_hash: str | None = None,
) -> bool:
    return await c.fetchval(_ADD, hash_of(token), Role(role), agent, seconds, password_hash) is not None


async def lookup(pool: Pool, token_hash: bytes) -> Identity | None:
    """Whose it is; None for one that is unknown, expired, or of a deleted agent."""
    async with connection(pool) as c:
        row = await c.fetchrow(_FIND, token_hash)
    return Identity(Role(row["role"]), row["agent"], row["expires_at"]) if row else None


async def valid(pool: Pool, hashes: Iterable[bytes]) -> set[bytes]:
    """Those of these tokens that still are."""
    async with connection(pool) as c:
        return {row["hash"] for row in await c.fetch(_VALID, list(hashes))}


async def revoke(pool: Pool, token_hash: bytes) -> None:
    """End it, and clear away what has expired."""
    async with connection(pool) as c:
        await c.execute("DELETE FROM tokens WHERE hash = $1 OR expires_at < now()", token_hash)
