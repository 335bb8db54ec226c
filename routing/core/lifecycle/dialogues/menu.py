"""The menu: wait, be called back, or what else the queue offers (T3, T4)."""

from dataclasses import replace

from ivr.workflow import HangUpAction, Plain
from routing.core.interaction import Stage
from routing.core.lifecycle import workflow
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.dialogues import asking


def key(c: Change, digit: str) -> None:
    action = workflow.step(c).keys.get(digit)
    c.tell("digit_pressed", "caller", digit=digit, menu=workflow.step(c).menu)
    match action:
        case Plain.WAIT:
            workflow.end_step(c)
        case Plain.CALLBACK:
            _choose_callback(c)
        case HangUpAction(hangup=farewell):
            c.set(stage=Stage.LEAVING, outcome="overflow:hangup")
            asking.ask(c, (farewell.say,))
        case _:
            once_more(c, "invalid")


def once_more(c: Change, *first: str) -> None:
    if asking.one_more_try(c, workflow.step(c).tries):
        asking.ask(c, (*first, *asking.menu_words(workflow.step(c))))
    else:
        workflow.end_step(c)


def _choose_callback(c: Change) -> None:
    """The key that commits the request, when the caller's number can be dialled (T4)."""
    if c.it.number:
        c.set(requested_at=c.now, waiting=replace(c.it.waiting, tries=0))
        c.tell("callback_requested", "caller")
        asking.read_back(c, c.it.number)
    elif c.queue.callback.alternate_number:
        asking.enter_number(c)
    else:
        asking.leave_dialogue(c, "cannot-call-back")
