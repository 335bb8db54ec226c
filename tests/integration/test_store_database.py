"""The pool when its connections break: a clear `Unavailable`, and the next request finds a sound one."""

import asyncio
import json
import os
import signal
from typing import Any

import asyncpg
import pytest
from structlog.tracebacks import ExceptionDictTransformer

from routing.core.errors import Unavailable
from routing.store.database import Pool, StatementRefused, connection, transaction


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


async def test_what_postgres_says_about_a_row_reaches_no_log(pool: Pool) -> None:
    """Its texts quote the row that was refused, numbers included."""
    with pytest.raises(StatementRefused) as refused:
        async with connection(pool) as c:
            await c.execute("INSERT INTO agents (id, name) VALUES ('not an id', '+4915112345678')")
    said = json.dumps(ExceptionDictTransformer()((type(refused.value), refused.value, refused.tb)))
    assert "+4915112345678" not in said and "not an id" not in said
    assert str(refused.value) == "CheckViolationError 23514 agents.agents_id_check"


@pytest.mark.parametrize("use", [connection, transaction])
async def test_who_is_cancelled_while_postgres_keeps_silent_ends(pool: Pool, use: Any) -> None:
    """Or a service that lost its shard would never end."""
    server: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask() -> None:
        async with use(pool) as c:
            server.set_result(await c.fetchval("SELECT pg_backend_pid()"))
            os.kill(server.result(), signal.SIGSTOP)
            await c.fetchval("SELECT 1")

    task = asyncio.create_task(ask())
    process = await server
    try:
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 0.5)
    finally:
        os.kill(process, signal.SIGCONT)
