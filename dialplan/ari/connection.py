"""Keeps one ARI application connected and says what happens, in order; the consumer is `dialplan.listen`.

On every connect: open the websocket, hold its events back, list what is alive, hand that over, then the
events held back, then live. So nothing is missed between the list and the events, but a fact may be told
twice: the first `Connected.overlap` events after a `Connected` may be in its snapshot already.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
import structlog

from dialplan.ari.client import AriClient
from dialplan.ari.errors import AppReplaced, AriError
from dialplan.ari.events import Event, EventDecoder
from dialplan.ari.models import Application, ApplicationReplaced, Bridge, Channel
from dialplan.ari.transport import Socket

log = structlog.get_logger(__name__)
STABLE_AFTER = 1.0  # a connection that lived shorter does not earn an immediate reconnect
LONGEST_WAIT = 1.0
ASKED_AGAIN = 0.1
"""Seconds until the owner is asked again who it is."""


@dataclass(frozen=True)
class Snapshot:
    """All channels and bridges Asterisk holds, ours or not; `application` names ours. `started` is when Asterisk
    did, in its own words: another one holds nothing of what was before."""

    channels: list[Channel]
    bridges: list[Bridge]
    application: Application
    started: str = ""


@dataclass(frozen=True)
class Connected:
    """Events flow again. What was missed shows only in the snapshot."""

    snapshot: Snapshot
    overlap: int


@dataclass(frozen=True)
class Disconnected:
    """No events until the next `Connected`; requests may still work."""

    reason: str


Item = Connected | Disconnected | Event


@dataclass
class Health:
    """For readyz and metrics; times are the loop's monotonic seconds."""

    connects: int = 0
    events: int = 0
    last_heard: float | None = None
    last_error: str | None = None


@dataclass
class _Backlog:
    """What one websocket waits with until its snapshot is there."""

    events: list[Event] | None = field(default_factory=list)  # None once they were handed over
    error: Exception | None = None  # why there will be no snapshot


class Owner(Protocol):
    """Who may have the application; of several processes one at a time. Implemented by `routing.engine.lease`."""

    @property
    def valid(self) -> bool: ...  # by its own clock nobody else can have become it

    def doubt(self) -> None:
        """Nobody hears Asterisk for us any more: another process may."""

    async def confirmed(self) -> bool:
        """Whether we are it for certain. May raise what ends us."""


class Alone:
    """The owner where there is only one process: whoever else takes the application has no right to it."""

    valid = True

    def doubt(self) -> None:
        return

    async def confirmed(self) -> bool:
        return True


class AriConnection:
    """Let one task await `run()` and one other iterate: `async for item in connection`. `owner` is asked before each
    connect, as who connects takes the application from whoever has it. `uniform` draws pauses."""

    def __init__(
        self,
        client: AriClient,
        app: str,
        owner: Owner,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.app = app
        self._owner = owner
        self.connected = False
        self.health = Health()
        self._client = client
        self._uniform = uniform
        self._decoder = EventDecoder()
        self._items: deque[Item | None] = deque()
        self._more = asyncio.Event()

    @property
    def queue_depth(self) -> int:
        """Items the consumer has not taken yet."""
        return len(self._items)

    @property
    def waiting(self) -> tuple[Item | None, ...]:
        """Those items, in their order."""
        return tuple(self._items)

    @property
    def odd_events(self) -> int:
        """Events passed on as a dict, or dropped as no JSON."""
        return self._decoder.odd

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        while not self._items:
            self._more.clear()
            await self._more.wait()
        if (item := self._items.popleft()) is None:
            raise StopAsyncIteration
        return item

    async def run(self) -> None:
        """Connects for ever. Ends by cancellation, by what `owner` raises, or with `AppReplaced`: another process has
        the application, as far as we know rightly."""
        failures = 0
        try:
            while True:
                started = asyncio.get_running_loop().time()
                if await self._owner.confirmed():
                    await self._one_connection()
                    await self._client.renew()
                lived = asyncio.get_running_loop().time() - started
                failures = 0 if lived > STABLE_AFTER else failures + 1
                await asyncio.sleep(pause(failures, self._uniform))
        finally:
            self._put(None)

    async def _one_connection(self) -> None:
        reason, replaced = "cancelled", None
        try:
            async with self._client.listen(self.app) as socket:
                reason = await self._serve(socket)
        except AppReplaced as error:
            reason, replaced = "replaced", error
        except AriError as error:
            reason = str(error)
        finally:
            self._lost(reason)
        if replaced and not await self._still_ours():
            raise replaced

    async def _still_ours(self) -> bool:
        """Asked while it may be so. Who took the application had no right to it, then."""
        while not await self._owner.confirmed():
            if not self._owner.valid:
                return False
            await asyncio.sleep(ASKED_AGAIN)
        return True

    def _lost(self, reason: str) -> None:
        log.warning("ari disconnected", app=self.app, reason=reason)
        self.health.last_error = reason
        if self.connected:
            self.connected = False
            self._put(Disconnected(reason))

    async def _serve(self, socket: Socket) -> str:
        """Why the websocket ended."""
        backlog = _Backlog()
        announce = asyncio.create_task(self._announce(socket, backlog), name="ari-snapshot")
        try:
            reason = await self._read(socket, backlog)
        finally:
            self._owner.doubt()
            announce.cancel()
            await asyncio.gather(announce, return_exceptions=True)
        if backlog.error:
            raise backlog.error
        return reason

    async def _announce(self, socket: Socket, backlog: _Backlog) -> None:
        try:
            snapshot = await self.snapshot()
        except Exception as error:
            backlog.error = error
            await socket.close()  # ends the reader: without a list the events are of no use
            return
        events, backlog.events = backlog.events or [], None
        self._put(Connected(snapshot, len(events)))
        for event in events:
            self._put(event)
        self.connected = True
        self.health.connects += 1
        log.info("ari connected", app=self.app, channels=len(snapshot.channels))

    async def snapshot(self) -> Snapshot:
        """What Asterisk holds now. Raises AriError."""
        channels, bridges, application, info = await asyncio.gather(
            self._client.channels.list(),
            self._client.bridges.list(),
            self._client.applications.get(self.app),
            self._client.asterisk.get_info(only="status"),
        )
        return Snapshot(channels, bridges, application, info.status.startup_time if info.status else "")

    async def _read(self, socket: Socket, backlog: _Backlog) -> str:
        """Only decodes and queues: a slow reader makes Asterisk drop events."""
        while True:
            message = await socket.receive()
            self.health.last_heard = asyncio.get_running_loop().time()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    self._take(message.data, backlog)
                case aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                case aiohttp.WSMsgType.PONG:
                    pass
                case _:
                    return f"websocket {message.type.name.lower()}: {message.data or socket.close_code}"

    def _take(self, data: bytes, backlog: _Backlog) -> None:
        event = self._decoder.decode(data)
        if event is None:
            return
        if isinstance(event, ApplicationReplaced):
            raise AppReplaced(event.application)
        self.health.events += 1
        if backlog.events is None:
            self._put(event)
        else:
            backlog.events.append(event)

    def _put(self, item: Item | None) -> None:
        self._items.append(item)
        self._more.set()


def pause(failures: int, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the next try: none at first, then longer, never all at the same moment."""
    if failures == 0:
        return 0.0
    longest = min(0.1 * 2.0 ** min(failures, 10), LONGEST_WAIT)
    return uniform(longest / 2, longest)
