"""A call comes in (T1). Counterpart: `requested`, a callback without a call."""

from uuid import UUID

from routing.core.context import Context
from routing.core.effects import Answer
from routing.core.events import CallerArrived
from routing.core.feed import CALLER, FeedEvent
from routing.core.interaction import Interaction, Leg, LegState, Place, Role
from routing.core.lifecycle import workflow
from routing.core.lifecycle.change import Change, Decision
from routing.core.numbers import called, to_e164


def arrive(interaction_id: UUID, context: Context, version: int, event: CallerArrived) -> Decision:
    """The row of a call that just came in: open, inbound, at the end of the line (T1)."""
    queue, now = context.queue, context.now
    number = to_e164(event.number, queue.region, event.written)
    dialled = called(queue, event.dialled, event.written)
    caller = Leg(event.leg, Role.CALLER, number or event.number or "", LegState.UP)
    it = Interaction(
        id=interaction_id,
        queue=queue.name,
        queue_version=version,
        entered_at=now,
        place=Place(now),
        number=number,
        dialled_number=dialled,
        legs=(caller,),
    )
    c = Change(it, context, CALLER)
    c.tell(FeedEvent.ENTERED, dialled_number=dialled)
    workflow.await_step(c, 0)
    c.do(Answer(caller.id, it.id.hex))
    c.music(caller)
    return c.decision()
