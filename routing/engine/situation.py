"""What is around an interaction is read where a decision needs it. Counterpart: `routing.core.context`."""

from datetime import datetime

from routing.core.context import Context, Situation
from routing.core.events import Event
from routing.core.interaction import Interaction
from routing.core.lifecycle import needs_situation
from routing.core.queues import Queue
from routing.store.database import Pool
from routing.store.read import line


async def context(pool: Pool, it: Interaction, queue: Queue, event: Event, now: datetime) -> Context:
    """Raises Unavailable."""
    if not needs_situation(it, queue, event, now):
        return Context(queue, now)
    places = await line.places(pool, [it])
    return Context(queue, now, Situation(position=places.get(it.id)))
