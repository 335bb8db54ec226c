"""Carries the engine's notices to the live streams: each listener gets what they may see, in the order it happened.

Counterpart: `routing.engine.notices`; `stream.py` holds the sockets.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from routing.api.engine import Engine
from routing.api.http.viewer import Viewer
from routing.api.live import messages
from routing.api.live.messages import StreamMessage
from routing.core.agents import Work
from routing.core.errors import NotFound, RingbackError
from routing.core.interaction import Interaction
from routing.core.lifecycle import Assigned, Decision, Released
from routing.engine.notices import AgentChanged, InteractionChanged, Notice, QueueChanged
from routing.runtime import metrics
from routing.store import agents, queues
from routing.store.agents import Agent
from routing.store.database import Pool
from routing.store.read import feed, line

log = structlog.get_logger()

MOST_WAITING = 1000
"""Messages a listener may be behind; then they are cut off and come back with their cursor."""
_MOST_BEHIND = 10_000  # notices the hub itself may be behind, with Postgres away


class Listener:
    """One live stream. `messages` ends with None."""

    def __init__(self, viewer: Viewer, token_hash: bytes) -> None:
        self.viewer = viewer
        self.token_hash = token_hash
        self.messages: asyncio.Queue[str | None] = asyncio.Queue()
        self.ended = False

    def tell(self, told: StreamMessage) -> None:
        if not self.ended and (text := told.text_for(self.viewer)):
            self._put(text)

    def _put(self, text: str) -> None:
        if self.messages.qsize() >= MOST_WAITING:
            log.warning("live stream cut off: it reads too slowly", agent=self.viewer.identity.agent)
            self.end(at_once=True)
        else:
            self.messages.put_nowait(text)

    def end(self, *, at_once: bool = False) -> None:
        """No more messages; `at_once`: not even those that wait."""
        while at_once and not self.messages.empty():
            self.messages.get_nowait()
        self.ended = True
        self.messages.put_nowait(None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a batch of notices needs to be told: read once for all of them."""

    places: dict[UUID, int]
    agents: dict[str, Agent]


class Hub:
    """`run` is its one background task."""

    def __init__(self, engine: Engine, pool: Pool) -> None:
        self._engine = engine
        self._pool = pool
        self._listeners: set[Listener] = set()
        self._behind: list[Notice] = []
        self._news = asyncio.Event()
        self._unsubscribe: Callable[[], None] | None = None
        self._cursor = 0

    async def cursor(self) -> int:
        """Up to where everything has been told. What is still behind will be told with a higher one."""
        if self._cursor == 0:
            told = await feed.last_cursor(self._pool)
            self._cursor = max(self._cursor, told)
        return self._cursor

    async def run(self) -> None:
        """Until cancelled."""
        self._unsubscribe = self._engine.subscribe(self._hear)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                notices, self._behind = self._behind, []
                await self._tell_or_cut_off(notices)
        finally:
            self._unsubscribe()
            self.end_all()

    # Listeners

    def join(self, viewer: Viewer, token_hash: bytes) -> Listener:
        listener = Listener(viewer, token_hash)
        self._listeners.add(listener)
        metrics.STREAM_CLIENTS.set(len(self._listeners))
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        metrics.STREAM_CLIENTS.set(len(self._listeners))

    def tokens(self) -> set[bytes]:
        """Those that listen."""
        return {each.token_hash for each in self._listeners}

    def end_of(self, token_hash: bytes) -> None:
        """The token was revoked."""
        self._end(each for each in self._listeners if each.token_hash == token_hash)

    def end_all(self) -> None:
        self._end(self._listeners)

    def _end(self, listeners: Iterable[Listener]) -> None:
        for listener in tuple(listeners):
            listener.end(at_once=True)

    # Notices

    def _hear(self, notice: Notice) -> None:
        """Called by the engine after every commit: must be quick."""
        if not self._listeners:
            self._reach(notice)
            return
        if len(self._behind) >= _MOST_BEHIND:
            self._behind.clear()
            self.end_all()
            return
        self._behind.append(notice)
        self._news.set()

    async def _tell_or_cut_off(self, notices: list[Notice]) -> None:
        """News is never left out in silence: who comes back with a cursor gets the state of everything."""
        try:
            await self._tell(notices)
        except Exception:
            log.exception("live streams cut off")
            self.end_all()

    async def _tell(self, notices: list[Notice]) -> None:
        seen = await self._look(notices)
        for notice in notices:
            self._reach(notice)
            for told in await self._told(notice, seen):
                for listener in tuple(self._listeners):
                    listener.tell(told)

    def _reach(self, notice: Notice) -> None:
        if isinstance(notice, InteractionChanged):
            self._cursor = max(self._cursor, notice.cursor)

    async def _look(self, notices: list[Notice]) -> Seen:
        """Places and agents as they are now. Without Postgres the news goes out without them."""
        changed = [each.interaction for each in notices if isinstance(each, InteractionChanged)]
        ids = {each.agent_id for each in notices if isinstance(each, AgentChanged)}
        try:
            places = await line.places(self._pool, changed)
            found = {each.id: each for each in await agents.some(self._pool, ids)} if ids else {}
        except RingbackError:
            log.warning("live stream goes on without places: Postgres does not answer")
            return Seen({}, {})
        self._update_viewers(ids, found)
        return Seen(places, found)

    def _update_viewers(self, changed: set[str], found: dict[str, Agent]) -> None:
        """An agent's queues may be others now; the stream of an agent who is gone ends."""
        for listener in tuple(self._listeners):
            viewer = listener.viewer
            if viewer.identity.agent not in changed:
                continue
            if viewer.identity.agent not in found:
                listener.end()
            elif viewer.queues is not None:
                listener.viewer = replace(viewer, queues=found[viewer.identity.agent].queues)

    async def _told(self, notice: Notice, seen: Seen) -> list[StreamMessage]:
        match notice:
            case InteractionChanged(decision, _):
                place = seen.places.get(decision.interaction.id)
                told = messages.interaction_changed(self._cursor, decision.interaction, place)
                return [told, *await self._offers(decision, place)]
            case AgentChanged(agent_id):
                return [
                    messages.agent_changed(
                        self._cursor, agent_id, seen.agents.get(agent_id), self._engine.agents.phone
                    )
                ]
            case QueueChanged(""):
                return []
            case QueueChanged(name):
                return [await self._queue(name)]

    async def _offers(self, decision: Decision, place: int | None) -> list[StreamMessage]:
        """The one that ended without being accepted, and the one that began."""
        told = []
        for change in decision.agents:
            match change:
                case Released(agent, Work.OFFERED):
                    told.append(messages.offer_withdrawn(self._cursor, agent, decision))
                case Assigned(_, Work.OFFERED):
                    told.append(await self.offer(decision.interaction, place))
        return told

    async def offer(self, it: Interaction, place: int | None) -> StreamMessage:
        """The preview of an interaction that is offered."""
        queue = await self._engine.queues.version(it.queue, it.queue_version)
        return messages.offer(self._cursor, it, place, queue, self._engine.clock.now())

    async def _queue(self, name: str) -> StreamMessage:
        try:
            stored = await queues.get(self._pool, name)
        except NotFound:
            return messages.queue_changed(self._cursor, name, None)
        return messages.queue_changed(self._cursor, name, stored)
