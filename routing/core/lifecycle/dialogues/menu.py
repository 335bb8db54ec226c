"""The menu: wait, be called back, or what else the queue offers. What each key leads to: `actions`."""

from routing.core.feed import CALLER, FeedEvent
from routing.core.lifecycle import actions, asking, workflow
from routing.core.lifecycle.change import Change


def key(c: Change, digit: str) -> None:
    step = workflow.step(c)
    c.tell(FeedEvent.DIGIT_PRESSED, CALLER, digit=digit, menu=step.menu)
    if action := step.keys.get(digit):
        actions.take(c, action)
    else:
        once_more(c, "invalid")


def once_more(c: Change, *first: str) -> None:
    if asking.one_more_try(c, workflow.step(c).tries):
        asking.ask(c, (*first, *asking.menu_words(workflow.step(c))))
    else:
        workflow.end_step(c)
