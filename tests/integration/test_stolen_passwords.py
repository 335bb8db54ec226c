"""Who knows an old password has nothing in hand, at whatever moment it was changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from api_service import Service

from routing.api.http import auth
from routing.core.errors import NotFound
from routing.runtime.passwords import Passwords
from routing.store import agents, tokens
from routing.store.agents import Settings
from routing.store.database import Pool
from routing.store.tokens import Identity

STOLEN, NEW = "correct horse battery", "another password"
HOUR = timedelta(hours=1)


@pytest.fixture
async def ada(service: Service) -> None:
    await service.queue("support")
    await change(service, STOLEN)


async def change(service: Service, password: str) -> None:
    body = {"password": password, "queues": [{"queue": "support"}]}
    assert (await service.ask("PUT", "agents/1001", json=body)).status == 200


async def log_in(service: Service, password: str) -> Any:
    return await service.ask("POST", "login", None, json={"user": "1001", "password": password})


class Gate:
    """Holds the first that comes through it, after its work is done."""

    def __init__(self, work: Callable[..., Awaitable[Any]]) -> None:
        self._work = work
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, *given: Any) -> Any:
        done = await self._work(*given)
        if not self.reached.is_set():
            self.reached.set()
            await self.open.wait()
        return done


# The login that was under way


@pytest.mark.usefixtures("ada")
async def test_a_login_that_was_checked_with_the_old_password_gets_no_token_after_the_change(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(Passwords().verify)
    monkeypatch.setattr(Passwords, "verify", lambda _, *given: gate(*given))
    thief = asyncio.create_task(log_in(service, STOLEN))
    await asyncio.wait_for(gate.reached.wait(), 10)  # the password was right when it was looked at

    await change(service, NEW)
    gate.open.set()
    answer = await thief

    assert (answer.status, answer.body["code"]) == (401, "unauthenticated")
    assert await service.engine.pool.fetchval("SELECT count(*) FROM tokens WHERE agent = '1001'") == 0
    assert (await service.ask("GET", "agents/1001")).body["state"] == "logged_out", "nobody has logged in"
    assert (await log_in(service, NEW)).status == 200


@asynccontextmanager
async def changing(pool: Pool, work: Callable[[Any], Awaitable[None]]) -> AsyncIterator[Any]:
    """A change that is done and not committed before the end of the block."""
    async with pool.acquire() as c, c.transaction():
        await work(c)
        yield c


async def waits_for(pool: Pool, other: Any) -> None:
    """Until some statement waits for the transaction of the connection `other`."""
    blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))"
    async with asyncio.timeout(10):
        while not await pool.fetchval(blocked, other.get_server_pid()):  # noqa: ASYNC110  # Postgres does not tell
            await asyncio.sleep(0.005)


async def test_a_token_that_meets_an_uncommitted_change_waits_for_it_and_is_not_made(pool: Pool) -> None:
    await agents.put(pool, "1001", Settings(), {"password_hash": "old"})

    async with changing(pool, lambda c: agents.put_in(c, "1001", Settings(), {"password_hash": "new"})) as c:
        made = asyncio.create_task(tokens.begin_session(pool, "1001", "old", HOUR))
        await waits_for(pool, c)

    assert await made is None
    assert await pool.fetchval("SELECT count(*) FROM tokens") == 0


async def test_a_change_that_meets_an_uncommitted_token_waits_for_it_and_ends_it(pool: Pool) -> None:
    await agents.put(pool, "1001", Settings(), {"password_hash": "old"})
    token = "rb_thief"

    async def issue(c: Any) -> None:
        assert await tokens._store(c, token, "agent", "1001", 3600.0, "old")

    async with changing(pool, issue) as c:
        changed = asyncio.create_task(agents.put(pool, "1001", Settings(), {"password_hash": "new"}))
        await waits_for(pool, c)

    await changed
    assert await tokens.lookup(pool, tokens.hash_of(token)) is None


async def test_a_token_that_meets_the_end_of_its_agent_does_not_come_back_with_another_of_that_id(
    pool: Pool, dsn: str
) -> None:
    await agents.put(pool, "1001", Settings(), {"password_hash": "old"})

    async def delete(c: Any) -> None:
        await c.execute("DELETE FROM tokens WHERE agent = '1001'")
        await c.execute("UPDATE agents SET deleted_at = now() WHERE id = '1001'")

    async with changing(pool, delete) as c:
        made = asyncio.create_task(tokens.create_token(dsn, "agent", "1001"))
        await waits_for(pool, c)

    with pytest.raises(NotFound):
        await made
    await agents.put(pool, "1001", Settings())
    assert await pool.fetchval("SELECT count(*) FROM tokens") == 0


# What the thief has already


@pytest.mark.usefixtures("ada")
async def test_a_changed_password_ends_every_session_and_every_live_stream_at_once(service: Service) -> None:
    stolen = [(await log_in(service, STOLEN)).body["token"] for _ in range(3)]
    headers = {"Authorization": f"Bearer {stolen[0]}"}
    async with service.http.ws_connect(f"{service.url}/api/v1/stream", headers=headers) as socket:
        assert (await socket.receive_json())["type"] == "hello"

        await change(service, NEW)

        assert (await service.ask("PUT", "queues/support", json={"name": "support", "title": "Later"})).status == 200
        async with asyncio.timeout(1):
            told = [message.json()["type"] async for message in socket]
        assert "queue" not in told, "what happens after the change is not told any more"
    for n, token in enumerate(stolen):
        service.tokens[f"stolen {n}"] = token
        assert (await service.ask("GET", "me", f"stolen {n}")).status == 401


@pytest.mark.usefixtures("ada")
async def test_a_token_that_was_not_got_by_the_password_outlives_it_and_not_the_agent(service: Service) -> None:
    """One of `ringback token create`: a program's."""
    assert (await service.ask("GET", "me", "1001")).status == 200

    await change(service, NEW)
    assert (await service.ask("GET", "me", "1001")).status == 200

    assert (await service.ask("DELETE", "agents/1001")).status == 204
    await change(service, NEW)
    assert (await service.ask("GET", "me", "1001")).status == 401


@pytest.mark.parametrize("end", ["change", "log out"])
async def test_a_token_that_ends_while_it_is_looked_up_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    there = {b"t": Identity(tokens.Role.AGENT, "1001")}

    async def lookup(_: object, token_hash: bytes) -> Identity | None:
        return there.get(token_hash)

    async def revoke(_: object, token_hash: bytes) -> None:
        there.pop(token_hash, None)

    gate = Gate(lookup)
    monkeypatch.setattr(tokens, "lookup", gate)
    monkeypatch.setattr(tokens, "revoke", revoke)
    known = auth.Tokens(None)  # type: ignore[arg-type]
    asked = asyncio.create_task(known.identity(b"t"))
    await gate.reached.wait()

    if end == "change":
        there.clear()
        known.forget_agent("1001")
    else:
        await known.revoke(b"t")
    gate.open.set()

    assert await asked, "it was valid when it was asked about"
    assert await known.identity(b"t") is None
