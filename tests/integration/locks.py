"""Two transactions at the same instant: one holds rows, the other is seen to wait for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from routing.store.database import Pool

_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@asynccontextmanager
async def locked(dsn: str, statement: str, *arguments: Any) -> AsyncIterator[None]:
    """The rows that the statement locks are held meanwhile."""
    other = await asyncpg.connect(dsn)
    held = other.transaction()
    await held.start()
    await other.execute(statement, *arguments)
    try:
        yield
    finally:
        await held.rollback()
        await other.close()


async def waits_for_a_lock(pool: Pool, sessions: int = 1) -> None:
    """Until so many statements wait for others to let go."""
    async with asyncio.timeout(5):
        while await pool.fetchval(_WAITING) < sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
