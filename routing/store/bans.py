"""Bans as rows, and the networks agents' phones were seen in. `routing.core.bans` decides, the firewall enforces."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from routing.core.bans import BAN, Address, Ban, Network
from routing.core.errors import NotFound
from routing.store.database import Pool, connection

PHONES_KEPT = timedelta(days=1)
"""How long a network is spared after a phone in it has given a right answer; phones do so about once in an hour."""

_BAN = """
INSERT INTO bans (network, account, until)
SELECT network, account, now() + make_interval(secs => $3) FROM unnest($1::cidr[], $2::text[]) AS b (network, account)
ON CONFLICT (network) DO UPDATE SET account = excluded.account, since = now(), until = excluded.until
"""

_PHONES = """
INSERT INTO phone_networks (network) SELECT unnest($1::cidr[])
ON CONFLICT (network) DO UPDATE SET seen_at = now()
"""


@dataclass(frozen=True, slots=True)
class Banned:
    network: Network
    account: str
    since: datetime
    until: datetime


async def ban(pool: Pool, bans: Collection[Ban]) -> None:
    """For BAN seconds from now, each network at most once among them. What is over is forgotten."""
    async with connection(pool) as c:
        await c.execute("DELETE FROM bans WHERE until <= now()")
        await c.execute(_BAN, [each.network for each in bans], [each.account for each in bans], BAN)


async def in_force(pool: Pool) -> dict[Network, float]:
    """Who is banned, for how many seconds yet."""
    async with connection(pool) as c:
        rows = await c.fetch(
            "SELECT network, extract(epoch FROM until - now()) AS left FROM bans WHERE until > now()"
        )
    return {row["network"]: float(row["left"]) for row in rows}


async def listed(pool: Pool, *, limit: int, after: str | None = None) -> list[Banned]:
    """By network, those after the network `after`. Raises Invalid when that is none."""
    async with connection(pool) as c:
        rows: Any = await c.fetch(
            "SELECT network, account, since, until FROM bans WHERE until > now()"
            " AND ($1::text IS NULL OR network > $1::text::cidr) ORDER BY network LIMIT $2",
            after,
            limit,
        )
    return [Banned(**row) for row in rows]


async def lift(pool: Pool, address: Address) -> None:
    """The firewall lets them in again within a second. Raises NotFound."""
    async with connection(pool) as c:
        done = await c.execute("DELETE FROM bans WHERE network >>= $1::inet AND until > now()", address)
    if done == "DELETE 0":
        raise NotFound("This address is not banned.")


async def phones_seen(pool: Pool, networks: Collection[Network]) -> None:
    async with connection(pool) as c:
        await c.execute("DELETE FROM phone_networks WHERE seen_at < now() - $1::interval", PHONES_KEPT)
        await c.execute(_PHONES, list(networks))


async def phone_networks(pool: Pool) -> set[Network]:
    """Where agents' phones are, as far as is known."""
    async with connection(pool) as c:
        rows = await c.fetch("SELECT network FROM phone_networks WHERE seen_at > now() - $1::interval", PHONES_KEPT)
    return {row["network"] for row in rows}
