"""The messages of the live stream, each with who may read it. `type`, `cursor`, and what it is about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from routing.api.agents import views as agent_views
from routing.api.http.viewer import Viewer
from routing.api.interactions import views as interaction_views
from routing.api.queues import views as queue_views
from routing.core.agents import PhoneState
from routing.core.feed import FeedEvent, FeedLine
from routing.core.interaction import Interaction
from routing.core.lifecycle import Decision
from routing.core.queues import Queue
from routing.store.agents import Agent
from routing.store.queues import Stored

_WHY_WITHDRAWN = (FeedEvent.REJECTED, FeedEvent.RONA, FeedEvent.ABANDONED)


@dataclass(slots=True)
class StreamMessage:
    """`content` makes the message for one who may read numbers, or may not; None for one who is not concerned."""

    concerns: Callable[[Viewer], bool]
    content: Callable[[bool], Mapping[str, Any]]
    reads_number: Callable[[Viewer], bool] = lambda _: True
    _texts: dict[bool, str] = field(default_factory=dict)

    def text_for(self, viewer: Viewer) -> str | None:
        """The message, made once for all who see the same."""
        if not self.concerns(viewer):
            return None
        full = self.reads_number(viewer)
        if full not in self._texts:
            self._texts[full] = msgspec.json.encode(self.content(full)).decode()
        return self._texts[full]


def hello(cursor: int) -> str:
    """The first message: where the stream starts."""
    return msgspec.json.encode({"type": "hello", "cursor": cursor}).decode()


def reload(cursor: int) -> str:
    """Too much has happened since the cursor the client came with: it reads the lists anew, and goes on from here."""
    return msgspec.json.encode({"type": "reload", "cursor": cursor}).decode()


def interaction_changed(cursor: int, it: Interaction, place: int | None) -> StreamMessage:
    def content(full: bool) -> Mapping[str, Any]:
        shown = interaction_views.interaction(it, place, full=full)
        return {"type": "interaction", "cursor": cursor, "interaction": shown}

    return StreamMessage(lambda viewer: viewer.may_see(it), content, lambda viewer: viewer.reads_number_of(it))


def offer(cursor: int, it: Interaction, place: int | None, queue: Queue, now: datetime) -> StreamMessage:
    """For the agent it is offered to, and those who watch over all."""
    content = {
        "type": "offer",
        "cursor": cursor,
        "agent": it.assigned_to,
        **msgspec.to_builtins(interaction_views.offer(it, place, queue, now)),
    }
    return StreamMessage(_for_agent(it.assigned_to), lambda _: content)


def offer_withdrawn(cursor: int, agent: str, decision: Decision) -> StreamMessage:
    content = {
        "type": "offer_withdrawn",
        "cursor": cursor,
        "agent": agent,
        "interaction": {"id": decision.interaction.id, "version": decision.interaction.version},
        "reason": _why(decision.feed),
    }
    return StreamMessage(_for_agent(agent), lambda _: content)


def _why(feed: tuple[FeedLine, ...]) -> str:
    for line in feed:
        if line.event is FeedEvent.OFFER_WITHDRAWN:
            return str(line.data["reason"])
        if line.event in _WHY_WITHDRAWN:
            return line.event
    return "ended"


def agent_changed(
    cursor: int, agent_id: str, agent: Agent | None, phone: Callable[[str], PhoneState]
) -> StreamMessage:
    """`agent` null: there is none of that id any more."""
    shown = agent_views.agent(agent, phone(agent_id)) if agent else None
    content = {"type": "agent", "cursor": cursor, "id": agent_id, "agent": shown}
    return StreamMessage(
        lambda viewer: viewer.may_see_agent(agent) if agent else viewer.queues is None, lambda _: content
    )


def queue_changed(cursor: int, name: str, stored: Stored | None) -> StreamMessage:
    """`queue` null: there is none of that name any more."""
    shown = stored and queue_views.queue(stored).model_dump(mode="json")
    content = {"type": "queue", "cursor": cursor, "name": name, "queue": shown}
    return StreamMessage(lambda viewer: viewer.may_see_queue(name), lambda _: content)


def _for_agent(agent: str | None) -> Callable[[Viewer], bool]:
    """An agent gets their own offers only; who reads all numbers may see all offers."""
    return lambda viewer: viewer.identity.agent == agent or viewer.reads_numbers
