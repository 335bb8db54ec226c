"""The live stream: a WebSocket that tells what happens, from now on or from a cursor.

Resuming is by state: what changed since the cursor is told as it is now, some of it twice. A message about an
interaction whose `version` is lower than one already seen is old news.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import structlog
from aiohttp import WSCloseCode, web

from routing.api.context import Call
from routing.api.http.route import ANYBODY, Route
from routing.api.live import bodies, messages
from routing.api.live.hub import Listener
from routing.api.live.messages import StreamMessage
from routing.core.errors import RingbackError
from routing.core.interaction import Interaction, Status
from routing.store import agents, interactions, queues
from routing.store.read import feed, line

log = structlog.get_logger()

HEARTBEAT = 20.0
WRITE_TIMEOUT = 5.0
MOST_REPLAYED = 2000
"""Lines of the feed; who was away for longer is told to read the lists anew."""
OVERLAP = 64
"""Cursors are given out before the commit: a lower one can appear after a higher one was seen."""
_MOST_SENT = 4096  # bytes of a client's message; none means anything
_PAGE = 200


async def stream(call: Call) -> web.WebSocketResponse:
    """What happens, as messages of type `hello`, `offer`, `offer_withdrawn`, `interaction`, `agent` and `queue`.
    `reload` says that the cursor is too old: read the lists anew, and go on."""
    viewer = await call.viewer()
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=_MOST_SENT, compress=False, timeout=2)
    if not socket.can_prepare(call.request):
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"})
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
    except Exception:
        log.exception("live stream broke")
        _abort(call.request)


def _abort(request: web.Request) -> None:
    """A reader who does not read would not read a farewell either."""
    if request.transport:
        request.transport.abort()


async def _texts(call: Call, listener: Listener) -> AsyncIterator[str]:
    listener.viewer = await call.viewer()  # whose queues changed before they joined was not told of it
    after = call.query(bodies.Stream).after
    now = await call.services.hub.cursor()
    yield messages.hello(now if after is None else after)
    if after is not None and now - after > MOST_REPLAYED:
        yield messages.reload(now)
        after = None
    async for told in _replay(call, after, now):
        if text := told.text_for(listener.viewer):
            yield text
    async for text in _live(call, listener):
        yield text


async def _live(call: Call, listener: Listener) -> AsyncIterator[str]:
    """Messages as they come; every 20 s a look whether the token is still valid."""
    checked = monotonic()
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                text = await listener.messages.get()
        except TimeoutError:
            text = ""
        if monotonic() - checked >= HEARTBEAT:
            checked = monotonic()
            if await call.services.tokens.identity(call.token_hash) is None:
                return
        if text is None:
            return
        if text:
            yield text


# Taking up the thread again


async def _replay(call: Call, after: int | None, now: int) -> AsyncIterator[StreamMessage]:
    """After a cursor what may have changed since; then, always, the offer that stands.

    Each message carries a cursor from which everything not yet told would be told again.
    """
    if after is not None:
        async for told in _interactions(call, after):
            yield told
        async for told in _agents_and_queues(call, now):
            yield told
    if offered := call.identity.agent and await agents.offered_interaction(call.pool, call.identity.agent):
        it = await interactions.load(call.pool, offered)
        if it.status is Status.OFFERED and it.assigned_to == call.identity.agent:
            yield await call.services.hub.offer(it, await _place(call, it))


async def _interactions(call: Call, after: int) -> AsyncIterator[StreamMessage]:
    start: int | None = max(0, after - OVERLAP)
    while start is not None:
        cursor = max(after, start)
        ids, start = await feed.changed_after(call.pool, start)
        for interaction_id in ids:
            it = await interactions.load(call.pool, interaction_id)
            yield messages.interaction_changed(cursor, it, await _place(call, it))


async def _agents_and_queues(call: Call, cursor: int) -> AsyncIterator[StreamMessage]:
    last = ""
    while found := await agents.every(call.pool, limit=_PAGE, after=last):
        for agent in found:
            yield messages.agent_changed(cursor, agent.id, agent, call.engine.agents.phone)
        last = found[-1].id
    last = ""
    while stored := await queues.every(call.pool, limit=_PAGE, after=last):
        for each in stored:
            yield messages.queue_changed(cursor, each.queue.name, each)
        last = stored[-1].queue.name


async def _place(call: Call, it: Interaction) -> int | None:
    return (await line.places(call.pool, [it])).get(it.id)


ROUTES = (Route("GET", "/stream", stream, ANYBODY, query=bodies.Stream, codes=("upgrade_required",)),)
