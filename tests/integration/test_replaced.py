"""Whoever was replaced does nothing to anybody any more: neither what was in hand, nor what goes wrong with it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from api_service import QUICK, Service, SilentPhones
from test_who_slept import another_takes_over, sleep_long

from dialplan.ari.client import AriClient
from dialplan.ari.errors import AriError, AriUnavailable
from dialplan.phones import AsteriskPhones
from routing.core.effects import AddToBridge, Effect
from routing.core.errors import Fenced, Unavailable
from routing.engine.lease import Lease
from routing.engine.phones import KnownAtOnce, MayCall
from routing.store import shards
from routing.store.database import Pool


class SlowPhones(SilentPhones):
    """An effect takes for ever; `begun` and `broken_off` say how far the first one came."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.broken_off = asyncio.Event(), asyncio.Event()

    async def perform(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.broken_off.set()


async def waiting_for_asterisk(service: Service, monkeypatch: pytest.MonkeyPatch) -> SlowPhones:
    """A caller has come in, and Asterisk is just asked to do something."""
    await service.queue(numbers=["600"], workflow=QUICK)
    slow = SlowPhones()
    monkeypatch.setattr(service.engine._actor, "_phones", slow)
    await service.call_in()
    await slow.begun.wait()
    return slow


async def test_who_was_replaced_breaks_off_what_was_in_hand(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = await waiting_for_asterisk(service, monkeypatch)
    await another_takes_over(service.engine.pool)
    service.engine.lease.doubt()
    with suppress(Fenced):
        await service.engine.lease.confirmed()
    async with asyncio.timeout(1):
        await service.engine.stop()
    assert slow.broken_off.is_set() and not service.engine._tasks


async def test_whose_lease_is_over_and_who_cannot_ask_breaks_it_off_as_well(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable

    slow = await waiting_for_asterisk(service, monkeypatch)
    monkeypatch.setattr(shards, "renew", away)
    sleep_long(service.engine.lease)
    async with asyncio.timeout(1):
        await service.engine.stop()
    assert slow.broken_off.is_set() and not service.engine._tasks


async def test_nothing_in_hand_outlives_the_letting_go_of_the_shard(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: whoever comes next is not to be disturbed."""
    slow = await waiting_for_asterisk(service, monkeypatch)
    monkeypatch.setattr("routing.engine.engine.FINISH_WITHIN", 0.1)
    await service.engine.stop()
    assert slow.broken_off.is_set() and not await service.engine.lease.may_act()


async def test_who_lost_contact_and_cannot_ask_postgres_does_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Asterisk is heard nobody else has our application; once it is not, somebody may."""

    async def away(*_: object) -> bool:
        raise Unavailable

    lease = Lease(pool, "test")
    await lease.take()
    monkeypatch.setattr(shards, "renew", away)
    lease._until = 0.0
    assert await lease.may_act(), "Postgres alone is no reason to fall silent"
    lease.doubt()
    assert not await lease.may_act() and not await lease.confirmed()
    monkeypatch.undo()
    assert await lease.may_act() and await lease.confirmed() and lease.valid


async def test_who_wants_to_know_while_others_ask_asks_with_them(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres is mute for a second each time, and many may wait: nobody waits for more than two answers."""
    asked = 0

    async def away(*_: object) -> bool:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        raise Unavailable

    lease = Lease(pool, "test")
    await lease.take()
    monkeypatch.setattr(shards, "renew", away)
    lease.doubt()
    assert not any(await asyncio.gather(*(lease.may_act() for _ in range(20)))) and asked <= 2


async def test_who_waits_for_a_confirmed_commit_shares_the_try_with_others(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def away(*_: object) -> bool:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0.01)
        raise Unavailable

    lease = Lease(pool, "test")
    await lease.take()
    await lease.committed()
    monkeypatch.setattr(shards, "renew", away)
    answers = await asyncio.gather(*(lease.committed() for _ in range(20)), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in answers) and tries <= 2
    monkeypatch.undo()
    await asyncio.gather(*(lease.committed() for _ in range(20)))


class Asterisk:
    """Says no to every request and counts those that would change something."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.reads: list[str] = []

    async def obey(self, request: web.Request) -> web.Response:
        (self.reads if request.method == "GET" else self.changes).append(f"{request.method} {request.path}")
        return web.json_response({"message": "no"}, status=400)

    @asynccontextmanager
    async def asked_by(self, may_change: Callable[[], Awaitable[bool]]) -> AsyncIterator[AriClient]:
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self.obey)
        async with (
            TestServer(app) as server,
            AriClient(str(server.make_url("/ari")), "u", "p", may_change=may_change) as ari,
        ):
            yield ari


async def test_no_request_that_changes_something_leaves_who_may_not_act() -> None:
    asterisk = Asterisk()

    async def may_change() -> bool:
        return False

    async with asterisk.asked_by(may_change) as ari:
        for request in (
            ari.channels.hangup("1"),
            ari.channels.answer("1"),
            ari.asterisk.update_object("a", "b", "c"),
        ):
            with pytest.raises(AriUnavailable) as refused:
                await request
            assert not refused.value.sent
        with suppress(AriError):
            await ari.channels.list()
    assert asterisk.changes == [] and asterisk.reads == ["GET /ari/channels"]


async def test_a_join_that_fails_hangs_up_nobody_once_the_shard_is_anothers() -> None:
    """What is done for an error asks as well: the caller may be in the menu of the next owner."""
    asterisk, left = Asterisk(), 4

    async def may_change() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    async with asterisk.asked_by(may_change) as ari:
        await AsteriskPhones(ari).perform(AddToBridge("bridge-1", ("caller", "agent")), lambda _: True)
    assert len(asterisk.changes) == 4 and not any(each.endswith(("/caller", "/agent")) for each in asterisk.changes)


async def test_the_parent_expires_the_lease_of_its_own_child_only(pool: Pool, dsn: str) -> None:
    """A child that was frozen for longer than its lease ends as another service owns the shard, rightly."""
    child, rival = Lease(pool, "test", f"{shards.process(1000)}a"), Lease(pool, "test", f"{shards.process(10001)}b")
    await child.take()
    await pool.execute("UPDATE shards SET until = '-infinity'")
    await rival.take()
    await shards.expire_lease(dsn, "test", 1000)
    assert await shards.take(pool, "test", "third") is None and await rival.confirmed()
    await shards.expire_lease(dsn, "test", 10001)
    assert await shards.take(pool, "test", "third") == rival.ownership.epoch + 1


async def test_a_lease_names_the_process_that_has_it(pool: Pool, dsn: str) -> None:
    await Lease(pool, "test").take()
    await shards.expire_lease(dsn, "test", os.getpid())
    assert await shards.held(pool, "test") is None
