"""A real Postgres for the whole run, and for each test a fresh copy of a migrated database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from itertools import count

import aiohttp
import asyncpg
import pytest
from api_service import Service, SilentPhones
from store_book import Book, open_book

from demo.folder import enterable_folder
from routing.api.app import create_app, start_site
from routing.core.errors import Unavailable
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.local.install.postgres_binaries import find_or_install
from routing.local.postgres.server import Postgres
from routing.store.database import Pool, connect
from routing.store.migrate import migrate
from routing.store.roles import SERVICE

TEMPLATE = "migrated"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Started and migrated. The folder is one an unprivileged account can enter."""
    with enterable_folder("pg") as folder:
        server = Postgres(folder, find_or_install(lambda line: None))
        server.prepare()
        process = asyncio.run(server.start())
        try:
            asyncio.run(_make_template(server))
            asyncio.run(_wait_long_for_deadlocks(server))
            yield server
        finally:
            asyncio.run(server.stop(process))


async def _make_template(server: Postgres) -> None:
    await _maintain(server, f"CREATE DATABASE {TEMPLATE}")
    await migrate(server.dsn_of(TEMPLATE))


async def _wait_long_for_deadlocks(server: Postgres) -> None:
    """Under libfaketime Postgres takes every time-out for reached as soon as it looks for a deadlock: in a signal
    handler it sees the real clock. Who waits for a locked row would be sent away after a second."""
    await _maintain(server, "ALTER SYSTEM SET deadlock_timeout = '1min'")
    await _maintain(server, "SELECT pg_reload_conf()")


async def _maintain(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn_of("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def dsn(postgres: Postgres) -> AsyncIterator[str]:
    """The address of a database of the test's own, with the schema and nothing in it."""
    name = f"test_{next(_numbers)}"
    await _maintain(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres.dsn_of(name)
    await _maintain(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """As the service has it: its role, which may not do everything."""
    made = await connect(dsn.replace("user=ringback", f"user={SERVICE}"), size=4)
    yield made
    await made.close()


@pytest.fixture
async def book(pool: Pool) -> Book:
    return await open_book(pool)


@pytest.fixture
async def owner(dsn: str) -> AsyncIterator[Pool]:
    """The same database, and everything may be done to it."""
    made = await connect(dsn, size=1)
    yield made
    await made.close()


@pytest.fixture
async def service(pool: Pool) -> AsyncIterator[Service]:
    """The engine at work and the API listening on a port of its own."""
    phones = SilentPhones()
    lease = Lease(pool, "test")
    await lease.take()
    engine = Engine(pool, await Clock.of(pool, "test"), lease, phones)
    for part in ("ari", "ami"):
        engine.add_part(part, lambda: True)
    runner = await start_site(create_app(engine, pool, realm="ringback", a_second=100_000), "127.0.0.1", 0)
    running = asyncio.create_task(engine.run())
    async with aiohttp.ClientSession() as http:
        host, port = runner.addresses[0][:2]
        yield Service(engine, phones, http, f"http://{host}:{port}")
    await runner.cleanup()
    running.cancel()
    await asyncio.wait([running])
    with contextlib.suppress(Unavailable):  # a test may have taken Postgres away
        await engine.stop()
