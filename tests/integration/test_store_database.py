"""The pool when its connections break: a clear `Unavailable`, and the next request finds a sound one."""

import asyncpg
import pytest

from routing.errors import Unavailable
from routing.store.database import Pool, connection


async def test_a_connection_in_a_broken_state_is_unavailable_once_and_never_handed_out_again(pool: Pool) -> None:
    with pytest.raises(Unavailable):
        async with connection(pool) as broken:
            server = await broken.fetchval("SELECT pg_backend_pid()")
            raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    for _ in range(pool.get_size() + 1):
        async with connection(pool) as sound:
            assert await sound.fetchval("SELECT pg_backend_pid()") != server


async def test_every_statement_after_postgres_ended_the_connections_finds_new_ones(pool: Pool, dsn: str) -> None:
    administrator = await asyncpg.connect(dsn)
    for _ in range(20):
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        answers = 0
        for _ in range(pool.get_max_size() + 1):
            try:
                async with connection(pool) as c:
                    answers += await c.fetchval("SELECT 1")
            except Unavailable:
                pass
        assert answers, "the pool recovered"
    await administrator.close()
