"""How the events connection lives, breaks and comes back, against an Asterisk made to misbehave."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dialplan.ari import connection as connection_module
from dialplan.ari import models, transport
from dialplan.ari.client import AriClient
from dialplan.ari.connection import AriConnection, Connected, Disconnected, pause
from dialplan.ari.errors import AppReplaced

APP = "ringback-00"


def event(kind: str, **fields: object) -> dict[str, object]:
    return {"type": kind, "application": APP, "timestamp": "2026-11-20T12:54:14.830+0000", **fields}


class Owner:
    """`may`: what it says when it is asked. `asked` and `doubts` are counted."""

    def __init__(self) -> None:
        self.may: bool | Exception = True
        self.valid = True
        self.asked = 0
        self.doubts = 0

    def doubt(self) -> None:
        self.doubts += 1

    async def confirmed(self) -> bool:
        self.asked += 1
        if isinstance(self.may, Exception):
            raise self.may
        return self.may


class Asterisk:
    """Serves the events websocket and the three lists; a test speaks through `sockets` and `listing`."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.queries: list[dict[str, str]] = []
        self.listing = asyncio.Event()
        self.list_status = 200
        self.listing.set()
        self.started = "2026-11-20T12:00:00.000+0000"
        self.handshake_status = 101
        self.mute = False

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_get("/ari/channels", self._list)
        app.router.add_get("/ari/bridges", self._list)
        app.router.add_get("/ari/applications/{name}", self._app)
        app.router.add_get("/ari/asterisk/info", self._info)
        return app

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if self.handshake_status != 101:
            return web.Response(status=self.handshake_status)
        socket = web.WebSocketResponse(autoping=not self.mute)
        await socket.prepare(request)
        self.sockets.put_nowait(socket)
        with suppress(ConnectionError):
            async for _ in socket:
                pass
        return socket

    async def _list(self, _request: web.Request) -> web.Response:
        await self.listing.wait()
        return web.json_response([], status=self.list_status)

    async def _info(self, _request: web.Request) -> web.Response:
        status = {"startup_time": self.started, "last_reload_time": self.started}
        return web.json_response({"status": status})

    async def _app(self, request: web.Request) -> web.Response:
        lists = ("channel_ids", "bridge_ids", "endpoint_ids", "device_names", "events_allowed")
        body: dict[str, Any] = {"name": request.match_info["name"], "events_disallowed": []}
        return web.json_response({**body, **{name: [] for name in lists}})


@asynccontextmanager
async def connected_to(
    asterisk: Asterisk, owner: Owner | None = None
) -> AsyncIterator[tuple[AriConnection, asyncio.Task[None]]]:
    async with (
        TestServer(asterisk.application()) as server,
        AriClient(str(server.make_url("/ari")), "u", "p") as ari,
    ):
        connection = AriConnection(ari, APP, owner or Owner())
        running = asyncio.create_task(connection.run())
        yield connection, running
        running.cancel()
        await asyncio.wait([running])


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is watched are counters, not events
        await asyncio.sleep(0.001)


async def say(socket: web.WebSocketResponse, kind: str, **fields: object) -> None:
    await socket.send_str(json.dumps(event(kind, **fields)))


async def test_events_told_while_listing_come_after_the_list() -> None:
    asterisk = Asterisk()
    asterisk.listing.clear()
    async with connected_to(asterisk) as (connection, _):
        socket = await asterisk.sockets.get()
        await say(socket, "First")
        await say(socket, "Second")
        await until(lambda: connection.health.events == 2)
        assert not connection.connected
        asterisk.listing.set()
        match await anext(connection):
            case Connected(snapshot, overlap):
                assert overlap == 2
                assert snapshot.application.name == APP
            case other:
                raise AssertionError(other)
        await say(socket, "Third")
        said = [await anext(connection) for _ in range(3)]
    assert [item["type"] for item in said if isinstance(item, dict)] == ["First", "Second", "Third"]


async def test_it_asks_for_its_own_application_only() -> None:
    asterisk = Asterisk()
    async with connected_to(asterisk) as (connection, _):
        await anext(connection)
    assert asterisk.queries == [{"app": APP, "subscribeAll": "false"}]


async def test_a_dropped_socket_is_said_and_comes_back() -> None:
    asterisk = Asterisk()
    async with connected_to(asterisk) as (connection, _):
        assert isinstance(await anext(connection), Connected)
        assert connection.connected
        await (await asterisk.sockets.get()).close()
        assert isinstance(await anext(connection), Disconnected)
        assert isinstance(await anext(connection), Connected)
        assert connection.health.connects == 2


async def test_a_half_open_socket_is_found_by_our_own_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HEARTBEAT", 0.1)
    asterisk = Asterisk()
    asterisk.mute = True
    async with connected_to(asterisk) as (connection, _):
        assert isinstance(await anext(connection), Connected)
        async with asyncio.timeout(1):
            gone = await anext(connection)
        assert isinstance(gone, Disconnected)
        assert "PONG" in gone.reason


async def test_pongs_keep_a_quiet_connection_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HEARTBEAT", 0.05)
    asterisk = Asterisk()
    async with connected_to(asterisk) as (connection, _):
        await anext(connection)
        await asyncio.sleep(0.2)  # several heartbeats
        assert connection.connected
        assert connection.health.last_heard is not None
        assert asyncio.get_running_loop().time() - connection.health.last_heard < 0.15


class Lost(Exception):
    """The shard has another owner."""


async def test_who_is_not_the_owner_any_more_does_not_take_the_application_back() -> None:
    """Nor does who does not know: the websocket ended while the process slept, say."""
    asterisk, owner = Asterisk(), Owner()
    async with connected_to(asterisk, owner) as (connection, running):
        await anext(connection)
        owner.may = False
        await (await asterisk.sockets.get()).close()
        await until(lambda: owner.asked > 3)
        assert owner.doubts and len(asterisk.queries) == 1
        owner.may = Lost()
        with pytest.raises(Lost):
            await running
        assert len(asterisk.queries) == 1


async def test_an_owner_who_was_replaced_asks_and_takes_the_application_back() -> None:
    asterisk, owner = Asterisk(), Owner()
    async with connected_to(asterisk, owner) as (connection, _):
        await anext(connection)
        owner.may = False
        await say(await asterisk.sockets.get(), "ApplicationReplaced")
        await until(lambda: owner.asked > 3)
        assert owner.doubts and len(asterisk.queries) == 1
        owner.may = True
        assert await anext(connection) == Disconnected("replaced")
        assert isinstance(await anext(connection), Connected)


async def test_who_was_replaced_by_the_next_owner_ends() -> None:
    asterisk, owner = Asterisk(), Owner()
    async with connected_to(asterisk, owner) as (connection, running):
        await anext(connection)
        owner.may = Lost()
        await say(await asterisk.sockets.get(), "ApplicationReplaced")
        with pytest.raises(Lost):
            await running


async def test_being_replaced_ends_who_cannot_ask_and_whose_lease_is_over() -> None:
    asterisk, owner = Asterisk(), Owner()
    async with connected_to(asterisk, owner) as (connection, running):
        await anext(connection)
        owner.may = owner.valid = False
        await say(await asterisk.sockets.get(), "ApplicationReplaced")
        items = [item async for item in connection]
        assert items == [Disconnected("replaced")]
        with pytest.raises(AppReplaced):
            await running


async def test_without_a_list_there_is_no_connection() -> None:
    asterisk = Asterisk()
    asterisk.list_status = 500
    async with connected_to(asterisk) as (connection, _):
        await asterisk.sockets.get()
        await asterisk.sockets.get()  # it tried again
        assert not connection.connected
        assert "500" in (connection.health.last_error or "")
        asterisk.list_status = 200
        assert isinstance(await anext(connection), Connected)


async def test_a_wrong_password_is_told_and_tried_again() -> None:
    asterisk = Asterisk()
    asterisk.handshake_status = 401
    async with connected_to(asterisk) as (connection, _):
        await until(lambda: len(asterisk.queries) == 2)
        assert "401" in (connection.health.last_error or "")
        asterisk.handshake_status = 101
        assert isinstance(await anext(connection), Connected)


async def test_a_slow_consumer_never_slows_the_reader() -> None:
    asterisk = Asterisk()
    async with connected_to(asterisk) as (connection, _):
        await anext(connection)
        socket = await asterisk.sockets.get()
        for _ in range(2000):
            await say(socket, "Noise")
        await until(lambda: connection.queue_depth == 2000)
        assert connection.odd_events == 2000


async def test_a_broken_message_is_dropped_and_the_next_one_read() -> None:
    asterisk = Asterisk()
    async with connected_to(asterisk) as (connection, _):
        await anext(connection)
        socket = await asterisk.sockets.get()
        await socket.send_str("{no json")
        await say(socket, "ApplicationUnregistered")
        assert isinstance(await anext(connection), models.ApplicationUnregistered)
        assert connection.odd_events == 1


async def test_it_ends_whenever_it_is_cancelled() -> None:
    async with (
        TestServer(Asterisk().application()) as server,
        AriClient(str(server.make_url("/ari")), "u", "p") as ari,
    ):
        for moments in range(60):
            running = asyncio.create_task(AriConnection(ari, APP, Owner()).run())
            for _ in range(moments):
                await asyncio.sleep(0)
            running.cancel()
            async with asyncio.timeout(2):
                await asyncio.wait([running])
            assert running.cancelled()


def test_the_first_try_is_at_once_and_all_others_come_within_a_second() -> None:
    assert pause(0, random.uniform) == 0.0
    assert all(0.0 < pause(failures, random.uniform) <= connection_module.LONGEST_WAIT for failures in range(1, 2000))
    assert len({pause(5, random.uniform) for _ in range(10)}) > 1
