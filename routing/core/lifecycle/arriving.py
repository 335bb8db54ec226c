"""A call comes in (T1). Counterpart: `requested`, a callback without a call."""

from datetime import datetime
from uuid import UUID

from routing.core.effects import Answer
from routing.core.events import CallerArrived
from routing.core.feed import CALLER, FeedEvent
from routing.core.interaction import Interaction, Leg, LegState, Role
from routing.core.lifecycle import workflow
from routing.core.lifecycle.change import Change, Decision
from routing.core.numbers import called, to_e164
from routing.core.queues import Queue


def arrive(interaction_id: UUID, queue: Queue, version: int, event: CallerArrived, now: datetime) -> Decision:
    """The row of a call that just came in: open, inbound, at the end of the line (T1)."""
    number = to_e164(event.number, queue.region, event.written)
    dialled = called(queue, event.dialled, event.written)
    caller = Leg(event.leg, Role.CALLER, number or event.number or "", LegState.UP)
    it = Interaction(
        id=interaction_id,
        queue=queue.name,
        queue_version=version,
        entered_at=now,
        queued_at=now,
        number=number,
        dialled_number=dialled,
        legs=(caller,),
    )
    c = Change(it, queue, now, CALLER)
    c.tell(FeedEvent.ENTERED, dialled_number=dialled)
    workflow.await_step(c, 0)
    c.do(Answer(caller.id, it.id.hex))
    c.music(caller)
    return c.decision()
