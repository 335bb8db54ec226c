"""The caller types another number; `#` ends it, `*` withdraws."""

from dataclasses import replace

from routing.core.interaction import Deadline, Role
from routing.core.lifecycle import asking, workflow
from routing.core.lifecycle.change import Change
from routing.core.numbers import refusal, typed

MOST_DIGITS = 40
"""More than any number has, also behind the longest prefix: what is too long stays too long."""


def key(c: Change, digit: str) -> None:
    """Collect digits; the prompt can be cut short, `#` ends, `*` goes back to waiting."""
    match digit:
        case "*":
            asking.withdraw(c)
        case "#":
            _number_entered(c)
        case _:
            if caller := c.leg(Role.CALLER):
                c.music(caller)  # who pauses between digits hears that somebody is there
            digits = (c.it.waiting.digits + digit)[:MOST_DIGITS]
            c.set(waiting=replace(c.it.waiting, digits=digits))
            c.due_in(Deadline.INPUT, workflow.step(c).timeout)


def _number_entered(c: Change) -> None:
    number = typed(c.it.waiting.digits, c.queue.region)
    if number is None or refusal(number, c.queue, typed=number != c.it.number):
        once_more(c, "invalid-number")
        return
    c.set(waiting=replace(c.it.waiting, tries=0, digits=number))
    asking.read_back(c, number)


def once_more(c: Change, *first: str) -> None:
    if asking.one_more_try(c, workflow.step(c).tries):
        asking.ask(c, (*first, "enter-number"))
    elif c.it.request.requested_at:
        asking.book(c)
    else:
        asking.leave_dialogue(c)
