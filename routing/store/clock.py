"""Postgres' clock: what it says, and how far it has jumped. Counterpart: `routing.engine.timekeeping`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from routing.store.database import Pool, connection
from routing.store.interactions import Ownership


@dataclass(frozen=True, slots=True)
class Sight:
    """What Postgres' clock `said` at some moment between `asked` and `heard`, which are seconds of another clock."""

    said: datetime
    asked: float
    heard: float

    @property
    def middle(self) -> float:
        return (self.asked + self.heard) / 2

    @property
    def blur(self) -> float:
        """Seconds by which the middle may be wrong."""
        return (self.heard - self.asked) / 2


async def look(pool: Pool, seconds: Callable[[], float]) -> Sight:
    """`seconds` is the clock to compare with. Raises Unavailable."""
    async with connection(pool) as c:
        asked = seconds()
        said: datetime = await c.fetchval("SELECT clock_timestamp()")
        return Sight(said, asked, seconds())


async def shift(pool: Pool, shard: str) -> float:
    """Seconds by which Postgres' clock has jumped in all while the shard had an owner."""
    async with connection(pool) as c:
        return float(await c.fetchval("SELECT shift FROM shards WHERE name = $1", shard) or 0.0)


# Besides the count, in the same transaction: what is no interaction's, and a span. The agents' order of idleness and
# what is remembered of requests stay as old as they are, tokens as long-lived. Of time slept through only the clock
# is corrected: for these it has really passed.
_JUMPED = """
WITH jumped AS (
    UPDATE shards SET shift = $3 + $4 WHERE name = $1 AND epoch = $2 AND shift = $3 RETURNING shift
),
span AS (SELECT make_interval(secs => $5) AS moved FROM jumped),
idle AS (
    UPDATE agents SET since = since + moved, idle_since = idle_since + moved FROM span
     WHERE idle_since <= $6 AND since <= $6
),
at_work AS (
    UPDATE assignments SET started_at = started_at + moved, busy_at = busy_at + moved, wrap_up_at = wrap_up_at + moved
      FROM span WHERE ended_at IS NULL AND coalesce(wrap_up_at, busy_at, started_at) <= $6
),
remembered AS (UPDATE idempotency_keys SET created_at = created_at + moved FROM span WHERE created_at <= $6),
asked AS (UPDATE requests_made SET at = ARRAY(SELECT t + moved FROM unnest(at) t) FROM span),
let_in AS (UPDATE tokens SET expires_at = expires_at + moved FROM span WHERE expires_at IS NOT NULL)
SELECT coalesce((SELECT shift FROM jumped), (SELECT shift FROM shards WHERE name = $1 AND epoch = $2))
"""


async def jumped(
    pool: Pool, owner: Ownership, before: float, by: float, slept: float, then: datetime
) -> float | None:
    """Postgres' clock has jumped `by` seconds, `slept` of which this machine was suspended; `then` is the time by the
    clock before. The new count: another than `before + by` when an earlier call was stored and nobody heard of it.
    None when the shard is not ours."""
    async with connection(pool) as c:
        found: float | None = await c.fetchval(_JUMPED, owner.shard, owner.epoch, before, by, by - slept, then)
        return found
