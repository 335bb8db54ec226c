"""What was answered to requests that carry an Idempotency-Key, so that asking twice does once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from routing.store.database import Pool, connection

KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(seconds=60)
"""After this long a request that was begun and never answered is taken as not done; so is one of an older epoch,
whose process is gone."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What stands under a key: `request` is the digest of what was asked, `status` None while it is being done."""

    request: bytes
    status: int | None
    content_type: str
    body: bytes


_BEGIN = """
WITH mine AS (
    INSERT INTO idempotency_keys AS k (who, key, request, epoch, created_at) VALUES ($1, $2, $3, $4, $7)
    ON CONFLICT (who, key) DO UPDATE
       SET request = excluded.request, epoch = excluded.epoch, status = NULL, created_at = excluded.created_at
     WHERE k.created_at < excluded.created_at - $5::interval
        OR (k.status IS NULL AND k.request = excluded.request
            AND (k.epoch < excluded.epoch OR k.created_at < excluded.created_at - $6::interval))
    RETURNING who
)
SELECT EXISTS (SELECT FROM mine) AS mine, k.request, k.status, k.content_type, k.body
  FROM (SELECT) once LEFT JOIN idempotency_keys k ON k.who = $1 AND k.key = $2
"""


async def begin(pool: Pool, who: str, key: str, request: bytes, epoch: int, now: datetime) -> Answered | None:
    """None: nobody has asked this, and it is ours to do now. `epoch` is the shard's, `now` by the engine's clock."""
    async with connection(pool) as c:
        row = await c.fetchrow(_BEGIN, who, key, request, epoch, KEPT, GIVEN_UP, now)
    if row["mine"]:
        return None
    if row["request"] is None:  # begun by another at this very moment
        return Answered(request, None, "", b"")
    return Answered(row["request"], row["status"], row["content_type"], row["body"])


async def keep(pool: Pool, who: str, key: str, epoch: int, status: int, content_type: str, body: bytes) -> None:
    """What was answered; unless the key has been taken over by the shard's next owner."""
    async with connection(pool) as c:
        await c.execute(
            "UPDATE idempotency_keys SET status = $4, content_type = $5, body = $6"
            " WHERE who = $1 AND key = $2 AND epoch = $3",
            who,
            key,
            epoch,
            status,
            content_type,
            body,
        )


async def forget(pool: Pool, who: str, key: str, epoch: int) -> None:
    """Nothing was done: it may be asked again. A key that the shard's next owner has taken over is theirs."""
    async with connection(pool) as c:
        await c.execute(
            "DELETE FROM idempotency_keys WHERE who = $1 AND key = $2 AND epoch = $3 AND status IS NULL",
            who,
            key,
            epoch,
        )


async def sweep(pool: Pool, now: datetime) -> int:
    """Clear away what is older than a day; how many that were."""
    async with connection(pool) as c:
        done: str = await c.execute("DELETE FROM idempotency_keys WHERE created_at < $1", now - KEPT)
    return int(done.split()[-1])
