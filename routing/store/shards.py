"""Who acts: a lease on the shard, on Postgres' clock. A higher epoch means another owner.

As that clock may jump, a lease that has run out is no proof that its owner is gone, nor is one that has not that they
live: who wants the shard sees for themselves that nobody renews it (`routing.engine.lease`).
"""

import socket
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from routing.store.database import Pool, connection, transaction

LEASE = 4.0
"""Seconds a lease lasts; renewed at a third of it."""

# Who stores something holds the shard's row until the commit (routing.store.interactions): wait for those.
_LOCK = "SELECT FROM shards WHERE name = $1 AND (until = '-infinity' OR until = $2) FOR UPDATE"

_TAKE = """
INSERT INTO shards AS s (name, owner, epoch, until) VALUES ($1, $2, 1, now() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
   SET owner = $2, epoch = s.epoch + 1, until = now() + make_interval(secs => $3)
 WHERE s.until = '-infinity' OR s.until = $4
RETURNING epoch
"""

_RENEW = """
UPDATE shards SET until = now() + make_interval(secs => $4)
 WHERE name = $1 AND owner = $2 AND epoch = $3
RETURNING epoch
"""

_RELEASE = "UPDATE shards SET until = '-infinity' WHERE name = $1 AND owner = $2 AND epoch = $3"

_EXPIRE = "UPDATE shards SET until = '-infinity' WHERE name = $1 AND starts_with(owner, $2)"


@dataclass(frozen=True, slots=True)
class Held:
    """A lease somebody has: until when, and whether that time has passed by Postgres' clock."""

    until: datetime
    over: bool


async def held(pool: Pool, shard: str) -> Held | None:
    """The lease there is; None when the shard was let go of, or nobody ever had it."""
    async with connection(pool) as c:
        row = await c.fetchrow(
            "SELECT until, until <= clock_timestamp() AS over FROM shards WHERE name = $1 AND until <> '-infinity'",
            shard,
        )
    return Held(row["until"], row["over"]) if row else None


async def take(pool: Pool, shard: str, owner: str, dead: Held | None = None) -> int | None:
    """Win the shard and return the new epoch, or None while another owner has it. `dead` is a lease that was seen not
    to be renewed any more."""
    over = dead and dead.until
    async with transaction(pool) as c:
        await c.execute(_LOCK, shard, over)
        epoch: int | None = await c.fetchval(_TAKE, shard, owner, LEASE, over)
        return epoch


async def renew(pool: Pool, shard: str, owner: str, epoch: int) -> bool:
    """Whether the shard is still ours, for another lease."""
    async with connection(pool) as c:
        return await c.fetchval(_RENEW, shard, owner, epoch, LEASE) is not None


async def release(pool: Pool, shard: str, owner: str, epoch: int) -> None:
    """Let a successor in at once."""
    async with connection(pool) as c:
        await c.execute(_RELEASE, shard, owner, epoch)


async def asterisk_life(pool: Pool, shard: str) -> str | None:
    """Which life of Asterisk the legs were last compared with; None before the first time."""
    async with connection(pool) as c:
        life: str | None = await c.fetchval("SELECT telephones FROM shards WHERE name = $1", shard)
        return life


async def remember_asterisk_life(pool: Pool, shard: str, epoch: int, life: str) -> None:
    """The legs have been compared with this life of Asterisk."""
    async with connection(pool) as c:
        await c.execute("UPDATE shards SET telephones = $3 WHERE name = $1 AND epoch = $2", shard, epoch, life)


def process(pid: int) -> str:
    """How the names of all owners begin that are this process of this machine."""
    return f"{socket.gethostname()}:{pid}:"


async def expire_lease(dsn: str, shard: str, pid: int) -> None:
    """For the parent that saw its process die: if that had the shard, nobody has it any more."""
    connection_ = await asyncpg.connect(dsn, timeout=5)
    try:
        if await connection_.fetchval("SELECT to_regclass('shards')"):
            await connection_.execute(_EXPIRE, shard, process(pid))
    finally:
        await connection_.close()
