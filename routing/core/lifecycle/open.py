"""Open: in line, on the phone or to be called back. The timed workflow speaks to those on the phone (T2, T8, T12)."""

from routing.core.events import Event, LegGone, Offered, PickedUp, PromptFinished
from routing.core.feed import FeedEvent
from routing.core.interaction import Role, Stage, Status, Subtype
from routing.core.lifecycle import asking, connecting, line, ringing, workflow
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny


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
        c.set(stage=Stage.ANNOUNCING)
        words = workflow.announced(step.announce)
        c.tell(FeedEvent.ANNOUNCED, step=c.it.waiting.step, what=list(words))
        c.say(caller, *words)
    else:
        c.set(status=Status.BOT, stage=Stage.MENU)
        c.tell(FeedEvent.MENU_STARTED, step=c.it.waiting.step, menu=step.menu)
        asking.ask(c, asking.menu_words(step))
