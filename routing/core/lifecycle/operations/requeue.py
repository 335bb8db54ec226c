"""Requeue: to the line again, or to that of another queue."""

from dataclasses import replace
from typing import Any

from routing.core.events import Requeued
from routing.core.feed import FeedEvent
from routing.core.interaction import Status
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def requeue(c: Change, event: Requeued) -> None:
    """To the line again, at its place; only callbacks change queues: a caller's dialogue belongs to one queue."""
    queue = event.queue or c.it.queue
    to_other = queue != c.it.queue
    if not (points.waits(c) or points.between_calls(c) or (points.live_caller_waits(c) and not to_other)):
        points.refuse(c)
    data: dict[str, Any] = {}
    if to_other:
        data |= {"queue": queue, "old_queue": c.it.queue}
        c.set(queue=queue, queue_version=event.queue_version)
    if event.priority is not None and event.priority != c.it.place.priority:
        data |= {"priority": event.priority, "old_priority": c.it.place.priority}
        c.set(place=replace(c.it.place, priority=event.priority))
    if data or c.it.status is not Status.OPEN:
        c.tell(FeedEvent.REQUEUED, **data)
    returning.to_line(c, "requeued")
