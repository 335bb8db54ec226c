"""What the dialogues ask, and where they lead. Keys then come to the dialogue of the stage that is set here."""

from dataclasses import replace

from ivr.workflow import Step
from routing.core.feed import CALLER, FeedEvent
from routing.core.interaction import Deadline, Role, Stage, Status
from routing.core.lifecycle import workflow
from routing.core.lifecycle.change import Change

ASKS_FOR_CALLBACK = (Stage.MENU, Stage.NUMBER_ENTRY, Stage.CONFIRM)


def ask(c: Change, words: tuple[str, ...]) -> None:
    c.clear(Deadline.INPUT)
    if caller := c.leg(Role.CALLER):
        c.say(caller, *words)


def await_key(c: Change) -> None:
    """The question was said: there is so much time for an answer, and music meanwhile."""
    c.due_in(Deadline.INPUT, workflow.step(c).timeout)
    _music_for_caller(c)


def _music_for_caller(c: Change) -> None:
    if caller := c.leg(Role.CALLER):
        c.music(caller)


def ask_again(c: Change) -> None:
    """Say the last words once more, from the beginning. One person is on the line."""
    for leg in c.it.legs:
        c.say(leg, *c.it.waiting.words)
    c.clear(Deadline.INPUT)


def one_more_try(c: Change, most: int) -> bool:
    c.set(waiting=replace(c.it.waiting, tries=c.it.waiting.tries + 1, digits=""))
    return c.it.waiting.tries < most


# The questions


def menu_words(step: Step) -> tuple[str, ...]:
    return (f"menu-{step.menu}",)


def read_back(c: Change, number: str) -> None:
    c.set(stage=Stage.CONFIRM)
    keys = "confirm-keys-other" if c.queue.callback.alternate_number else "confirm-keys"
    ask(c, ("confirm-number", f"digits:{number}", keys))


def enter_number(c: Change, *first: str) -> None:
    c.set(stage=Stage.NUMBER_ENTRY, waiting=replace(c.it.waiting, tries=0, digits=""))
    ask(c, (*first, "enter-number"))


# Where they lead


def book(c: Change) -> None:
    """Confirmed. The promise is played only after this is stored (A5)."""
    requested = c.it.request.requested_at or c.now
    c.set(
        stage=Stage.BOOKED,
        number=candidate(c),
        request=replace(c.it.request, requested_at=requested, promised_at=max(c.now, requested)),
        waiting=replace(c.it.waiting, digits=""),
    )
    c.tell(FeedEvent.CALLBACK_CONFIRMED, CALLER)
    ask(c, ("booked",))


def candidate(c: Change) -> str:
    """The number being confirmed: the one just entered, else the caller's own."""
    return c.it.waiting.digits or c.it.number or ""


def withdraw(c: Change) -> None:
    c.set(request=replace(c.it.request, requested_at=None))
    c.tell(FeedEvent.CALLBACK_WITHDRAWN, CALLER)
    leave_dialogue(c)


def leave_dialogue(c: Change, *words: str) -> None:
    """Back to waiting at the same place, after a last word if there is one."""
    c.set(request=replace(c.it.request, requested_at=None))
    if not words:
        workflow.end_step(c)
        return
    c.set(status=Status.OPEN, stage=Stage.ANNOUNCING)
    ask(c, words)
