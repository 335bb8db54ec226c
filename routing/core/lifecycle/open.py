"""Open: in line, on the phone or to be called back. The timed workflow speaks to those on the phone (T2, T8, T12)."""

from datetime import datetime
from typing import Any

from routing.core.events import Event, LegGone, Offered, PickedUp, PromptFinished, TimeReached
from routing.core.feed import FeedEvent
from routing.core.interaction import Deadline, Interaction, Leg, Role, Stage, Status, Subtype
from routing.core.lifecycle import asking, connecting, line, ringing, workflow
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny
from routing.core.queues import Queue


def when_open(c: Change, event: Event) -> None:
    match event:
        case Offered() | PickedUp() if c.it.subtype is Subtype.INBOUND and line.caller_lost(c):
            pass
        case Offered(agent, desk) if _may_be_offered(c):
            ringing.offer(c, agent, desk)
        case PickedUp(agent, desk):
            connecting.pick_up(c, agent, desk)
        case PromptFinished(_, say) if say == c.it.playing:
            c.said()
            workflow.end_step(c)
        case LegGone(leg, lost=lost) if c.is_caller(leg):
            line.caller_gone(c, lost=lost)
        case _:
            deny(c, event)


def _may_be_offered(c: Change) -> bool:
    return c.it.place.not_before is None or c.it.place.not_before <= c.now


def step_due(c: Change) -> None:
    """Run the step: an announcement leaves the interaction open, a question makes it bot (T2)."""
    caller = c.leg(Role.CALLER)
    if caller is None:
        return
    step = workflow.step(c)
    if step.announce:
        _announce(c, caller, step.announce)
    else:
        c.set(status=Status.BOT, stage=Stage.MENU)
        c.tell(FeedEvent.MENU_STARTED, step=c.it.waiting.step, menu=step.menu)
        asking.ask(c, asking.menu_words(step))


def _announce(c: Change, caller: Leg, announce: tuple[str, ...]) -> None:
    """A place that nobody knows is left out; where nothing else is to be said the music plays on."""
    told = workflow.announced(c, announce)
    if not told:
        workflow.await_next(c)
        return
    c.set(stage=Stage.ANNOUNCING)
    place: dict[str, Any] = {"position": c.situation.position} if "position" in told else {}
    c.tell(FeedEvent.ANNOUNCED, step=c.it.waiting.step, what=list(told), **place)
    c.say(caller, *workflow.spoken(c, told))


def needs_situation(it: Interaction, queue: Queue, event: Event, now: datetime) -> bool:
    """Whether a step is due that tells what is around."""
    due = it.deadlines.get(Deadline.NEXT_STEP)
    if not isinstance(event, TimeReached) or due is None or due > now or it.holds(Deadline.NEXT_STEP):
        return False
    return "position" in (queue.workflow.steps[it.waiting.step].announce or ())
