"""A Postgres of its own, and how a test without an event loop asks it."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import pytest

from demo.folder import enterable_folder
from routing.local.install.postgres_binaries import find_or_install
from routing.local.postgres.server import Postgres
from routing.store.database import Pool, close, connect
from routing.store.migrate import migrate

T = TypeVar("T")


@dataclass
class Database:
    """A migrated database; `run` waits for what the store's functions promise."""

    runner: "asyncio.Runner"
    pool: Pool

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def execute(self, statement: str, *arguments: Any) -> None:
        self.run(self._execute(statement, *arguments))

    async def _execute(self, statement: str, *arguments: Any) -> None:
        async with self.pool.acquire() as c:
            await c.execute(statement, *arguments)


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    with enterable_folder("model") as folder:
        server = Postgres(folder, find_or_install(lambda line: None))
        server.prepare()
        with asyncio.Runner() as runner:
            process = runner.run(server.start())
            try:
                pool = runner.run(_prepared(server))
                yield Database(runner, pool)
                runner.run(close(pool))
            finally:
                runner.run(server.stop(process))


async def _prepared(server: Postgres) -> Pool:
    connection = await asyncpg.connect(server.dsn_of("postgres"))
    await connection.execute("CREATE DATABASE model")
    await connection.execute("ALTER DATABASE model SET synchronous_commit = off")  # nothing here has to last
    await connection.close()
    await migrate(server.dsn_of("model"))
    return await connect(server.dsn_of("model"), size=2)
