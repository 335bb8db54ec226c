"""`ringback ban list|lift`."""

from ipaddress import ip_address

from routing.store import bans
from routing.store.database import close, connect

_MOST = 10_000


async def shown(dsn: str) -> list[str]:
    """One line each. Raises Unavailable."""
    pool = await connect(dsn, size=1)
    try:
        listed = await bans.listed(pool, limit=_MOST)
    finally:
        await close(pool)
    return [
        f"{each.network}  {each.since:%F %T} – {each.until:%F %T} UTC  guessed at {each.account}" for each in listed
    ]


async def lift(dsn: str, address: str) -> None:
    """Raises NotFound, Unavailable."""
    pool = await connect(dsn, size=1)
    try:
        await bans.lift(pool, ip_address(address))
    finally:
        await close(pool)
