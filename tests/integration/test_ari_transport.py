"""Requests of the ARI client against a server that answers badly, late or not at all."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from dialplan.ari.client import AriClient, Made
from dialplan.ari.errors import AriConflict, AriError, AriNotFound, AriUnavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ID = "a" * 32


@asynccontextmanager
async def asterisk(handler: Handler, deadline: float = 1.0) -> AsyncIterator[AriClient]:
    """A client of a server that gives every request to `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server, AriClient(str(server.make_url("/ari")), "u", "p", timeout=deadline) as ari:
        yield ari


def answering(status: int, body: object) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return handler


def channel(channel_id: str) -> dict[str, Any]:
    party = {"name": "", "number": ""}
    plan = {"context": "", "exten": "", "priority": 1, "app_name": "", "app_data": ""}
    text = dict.fromkeys(("protocol_id", "name", "state", "accountcode", "creationtime", "language"), "")
    return {**text, "id": channel_id, "caller": party, "connected": party, "dialplan": plan}


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, {"message": "Channel not found"}, AriNotFound, "Channel not found"),
        (409, {"message": "taken"}, AriConflict, "taken"),
        (500, {"error": "Allocation failed"}, AriError, "Allocation failed"),
        (412, ["odd"], AriError, '["odd"]'),
        (401, {}, AriError, "{}"),
    ],
)
async def test_a_refusal_becomes_the_error_of_its_status(
    status: int, body: object, kind: type[AriError], message: str
) -> None:
    async with asterisk(answering(status, body)) as ari:
        with pytest.raises(AriError) as caught:
            await ari.channels.get(ID)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.message) == (status, message)
    assert caught.value.request == f"GET /channels/{ID}"


async def test_an_answer_of_another_shape_is_an_error_not_a_crash() -> None:
    async with asterisk(answering(200, {"id": 7})) as ari:
        with pytest.raises(AriError, match="not understood"):
            await ari.channels.get(ID)


async def test_a_slow_asterisk_is_given_up_at_the_deadline() -> None:
    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with asterisk(slow, deadline=0.05) as ari:
        with pytest.raises(AriUnavailable) as caught:
            await ari.channels.hangup(ID)
    assert caught.value.sent


async def test_a_refused_connection_was_certainly_not_obeyed() -> None:
    async with AriClient(f"http://127.0.0.1:{unused_port()}/ari", "u", "p") as ari:
        with pytest.raises(AriUnavailable) as caught:
            await ari.channels.hangup(ID)
    assert not caught.value.sent


async def test_what_is_sent_is_json_without_what_was_not_given_and_names_are_asterisks() -> None:
    seen: list[web.Request] = []
    bodies: list[object] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request)
        bodies.append(await request.json())
        return web.Response(status=204)

    async with asterisk(note) as ari:
        await ari.bridges.add_channel("b/1", channel=["c1", "c2"], absorb_dtmf=True)
    assert seen[0].raw_path == "/ari/bridges/b%2F1/addChannel"
    assert bodies == [{"channel": ["c1", "c2"], "absorbDTMF": True}]
    assert seen[0].headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


async def test_a_get_carries_its_arguments_in_the_query() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"value": request.query["variable"]})

    async with asterisk(echo) as ari:
        assert (await ari.channels.get_channel_var(ID, variable="CHANNEL(a&b)")).value == "CHANNEL(a&b)"


@asynccontextmanager
async def closing_after_one_answer() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that keeps the connection, but drops it when the second request on it comes."""
    requests: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = True
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                requests.append(head.decode().split()[0])
                if not first:
                    return
                first = False
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/ari", requests


async def test_a_stale_connection_is_tried_again_once_when_asking_twice_is_harmless() -> None:
    async with closing_after_one_answer() as (url, requests), AriClient(url, "u", "p") as ari:
        await ari.channels.hangup(ID)
        await ari.channels.hangup(ID)
    assert requests == ["DELETE", "DELETE", "DELETE"]


async def test_a_post_on_a_stale_connection_is_never_sent_again() -> None:
    async with closing_after_one_answer() as (url, requests), AriClient(url, "u", "p") as ari:
        await ari.channels.hangup(ID)
        with pytest.raises(AriUnavailable) as caught:
            await ari.channels.dial(ID)
    assert caught.value.sent
    assert requests == ["DELETE", "POST"]


def creating(create: tuple[int, object], found: object | None) -> Handler:
    """Answers a create with `create` and a look-up with `found` (None: 404)."""

    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.json_response(create[1], status=create[0])
        return web.json_response(found or {"message": "Channel not found"}, status=200 if found else 404)

    return handler


async def create(ari: AriClient) -> Made:
    return await ari.create_or_adopt(ID, ari.channels.create(endpoint="PJSIP/1001", app="x", channel_id=ID))


async def test_a_created_channel_is_ours() -> None:
    async with asterisk(creating((200, channel(ID)), None)) as ari:
        assert (await create(ari)).created


async def test_after_409_a_channel_that_is_there_is_adopted() -> None:
    async with asterisk(creating((409, {"message": "exists"}), channel(ID))) as ari:
        made = await create(ari)
    assert (made.channel.id, made.created) == (ID, False)


@pytest.mark.parametrize("found", [None, channel(ID + "0")])
async def test_after_a_stale_409_a_channel_that_is_not_there_has_failed(found: object) -> None:
    async with asterisk(creating((409, {"message": "exists"}), found)) as ari:
        with pytest.raises(AriError) as caught:
            await create(ari)
    assert caught.value.status == 500


@pytest.mark.parametrize("there", [True, False])
async def test_when_the_answer_to_a_create_is_lost_the_channel_is_looked_up(there: bool) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            await asyncio.sleep(5)
        return web.json_response(channel(ID), status=200) if there else web.json_response({}, status=404)

    async with asterisk(handler, deadline=0.05) as ari:
        if there:
            assert not (await create(ari)).created
        else:
            with pytest.raises(AriUnavailable):
                await create(ari)


async def test_warming_opens_the_connections_at_once() -> None:
    peers: set[object] = set()

    async def pong(request: web.Request) -> web.Response:
        assert request.transport
        peers.add(request.transport.get_extra_info("peername"))
        await asyncio.sleep(0.01)
        return web.json_response({"asterisk_id": "x", "ping": "pong", "timestamp": ""})

    async with asterisk(pong) as ari:
        await ari.warm(8)
        await ari.warm(8)
        assert ari.last_answer is not None
    assert len(peers) == 8


async def test_errors_never_carry_the_password() -> None:
    async with asterisk(answering(401, {"message": "Authentication required"})) as ari:
        with pytest.raises(AriError) as caught:
            await ari.channels.list()
    assert base64.b64encode(b"u:p").decode() not in json.dumps(str(caught.value))
