"""The live stream: a WebSocket that tells what happens, from now on or from a cursor.

Resuming is by state: what changed since the cursor is told as it is now, some of it twice. A message about an
interaction whose `version` is lower than one already seen is old news.
"""

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import WSCloseCode, web

from routing.api import bodies, messages
from routing.api.hub import Listener
from routing.api.messages import Told
from routing.api.route import ANYBODY, Call, Route
from routing.errors import NotFound, RingbackError
from routing.interaction import Interaction
from routing.store import agents, feed, home_list, interactions, queues

log = structlog.get_logger()

HEARTBEAT = 20.0
WRITE_TIMEOUT = 5.0
OVERLAP = 64
"""Cursors are given out before the commit: a lower one can appear after a higher one was seen."""
_MOST_SENT = 4096  # bytes of a client's message; none means anything
_PAGE = 200


async def stream(call: Call) -> web.WebSocketResponse:
    """What happens, as messages of type `hello`, `offer`, `offer_withdrawn`, `interaction`, `agent` and `queue`."""
    viewer = await call.viewer()
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=_MOST_SENT, compress=False, timeout=2)
    await socket.prepare(call.request)
    listener = call.services.hub.join(viewer, call.token_hash)
    writing = asyncio.create_task(_write(call, socket, listener), name="live stream")
    try:
        async for _ in socket:
            pass
    finally:
        call.services.hub.leave(listener)
        writing.cancel()
        await asyncio.wait([writing])
    return socket


async def _write(call: Call, socket: web.WebSocketResponse, listener: Listener) -> None:
    """Until the listener ends, the token does, or the reader is too slow."""
    try:
        async for text in _texts(call, listener):
            async with asyncio.timeout(WRITE_TIMEOUT):
                await socket.send_str(text)
        async with asyncio.timeout(WRITE_TIMEOUT):
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
    except (TimeoutError, ConnectionError):
        _abort(call.request)
    except RingbackError as error:
        log.info("live stream ended", error=str(error))
        _abort(call.request)


def _abort(request: web.Request) -> None:
    """A reader who does not read would not read a farewell either."""
    if request.transport:
        request.transport.abort()


async def _texts(call: Call, listener: Listener) -> AsyncIterator[str]:
    asked = call.query(bodies.Stream)
    hub = call.services.hub
    hub.cursor = max(hub.cursor, await feed.last_cursor(call.pool))
    yield messages.hello(hub.cursor)
    async for told in _replay(call, asked.after):
        if text := told.text_for(listener.viewer):
            yield text
    while (text := await _next(call, listener)) is not None:
        if text:
            yield text


async def _next(call: Call, listener: Listener) -> str | None:
    """The next message; empty when it was only time to see whether the token is still valid; None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            return await listener.messages.get()
    except TimeoutError:
        return "" if await call.services.tokens.identity(call.token_hash) else None


# Taking up the thread again


async def _replay(call: Call, after: int | None) -> AsyncIterator[Told]:
    """The offer that stands, always; after a cursor also everything that may have changed since."""
    if after is not None:
        async for told in _changed(call, max(0, after - OVERLAP)):
            yield told
    if offered := call.identity.agent and await agents.offered_interaction(call.pool, call.identity.agent):
        it = await interactions.load(call.pool, offered)
        if it.assigned_to == call.identity.agent:
            yield await call.services.hub.offer(it, await _place(call, it))


async def _changed(call: Call, after: int) -> AsyncIterator[Told]:
    cursor = call.services.hub.cursor
    async for it in _interactions_after(call, after):
        yield messages.interaction_changed(cursor, it, await _place(call, it))
    last = ""
    while found := await agents.every(call.pool, limit=_PAGE, after=last):
        for agent in found:
            yield messages.agent_changed(cursor, agent.id, agent, call.engine.phone)
        last = found[-1].id
    last = ""
    while stored := await queues.every(call.pool, limit=_PAGE, after=last):
        for each in stored:
            yield messages.queue_changed(cursor, each.queue.name, each.queue)
        last = stored[-1].queue.name


async def _interactions_after(call: Call, after: int | None) -> AsyncIterator[Interaction]:
    while after is not None:
        ids, after = await feed.changed_after(call.pool, after)
        for interaction_id in ids:
            try:
                yield await interactions.load(call.pool, interaction_id)
            except NotFound:
                continue


async def _place(call: Call, it: Interaction) -> int | None:
    return (await home_list.places(call.pool, [it])).get(it.id)


ROUTES = (Route("GET", "/stream", stream, ANYBODY, query=bodies.Stream, codes=("upgrade_required",)),)
