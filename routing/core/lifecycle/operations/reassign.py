"""Reassign: offered to one agent, or taken from whoever has it."""

from dataclasses import replace

from routing.core.events import Reassigned
from routing.core.feed import FeedEvent
from routing.core.interaction import Status
from routing.core.lifecycle import ringing
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def reassign(c: Change, event: Reassigned) -> None:
    in_line = (points.waits(c) or points.live_caller_waits(c)) and c.it.status is not Status.SCHEDULED
    if not (in_line or points.between_calls(c)):
        points.refuse(c)
    if event.agent == c.it.assigned_to:
        return
    c.tell(FeedEvent.REASSIGNED, agent=event.agent, old_agent=c.it.assigned_to)
    returning.to_line(c, "reassigned")
    if event.agent is not None:
        c.stamp()
        _include(c, event.agent)
        ringing.offer(c, event.agent, event.desk)


def _include(c: Change, agent: str) -> None:
    excluded = {each: until for each, until in c.it.place.excluded.items() if each != agent}
    c.set(place=replace(c.it.place, excluded=excluded))
