"""Open: in line, on the phone or to be called back. The timed workflow speaks to those on the phone (T2, T8, T12)."""

from typing import Any

from routing.core.events import Event, LegGone, Offered, PickedUp, PromptFinished, TimeReached
from routing.core.feed import FeedEvent
from routing.core.interaction import Interaction, Leg, Role, Stage, Status, Subtype
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
        case PromptFinished(_, say) if say == c.it.waiting.playing:
            c.said()
            workflow.end_step(c)
        case LegGone(leg, lost=lost) if c.is_caller(leg):
            line.caller_gone(c, lost=lost)
        case _:
            deny(c, event)


def _may_be_offered(c: Change) -> bool:
    return c.it.not_before is None or c.it.not_before <= c.now


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
    words = workflow.spoken(c, announce)
    if not words:
        workflow.await_next(c)
        return
    c.set(stage=Stage.ANNOUNCING)
    what = list(workflow.announced(announce))
    c.tell(FeedEvent.ANNOUNCED, step=c.it.waiting.step, what=what, **_position(c, what))
    c.say(caller, *words)


def _position(c: Change, what: list[str]) -> dict[str, Any]:
    return {"position": c.situation.position} if "position" in what and c.situation.position else {}


def needs_situation(it: Interaction, queue: Queue, event: Event) -> bool:
    """Whether what the caller is told next may depend on what is around."""
    tells = any("position" in (step.announce or ()) for step in queue.workflow.steps)
    return tells and isinstance(event, TimeReached) and it.leg(Role.CALLER) is not None
