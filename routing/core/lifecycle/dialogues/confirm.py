"""The number was read back: 1 confirms, 2 takes another one, `*` withdraws."""

from dataclasses import replace

from routing.core.lifecycle import asking, workflow
from routing.core.lifecycle.change import Change


def key(c: Change, digit: str) -> None:
    """A digit before the read-back has ended says nothing."""
    if c.it.playing:
        c.ignore()
        return
    match digit:
        case "1":
            asking.book(c)
        case "2" if c.queue.callback.alternate_number:
            asking.enter_number(c)
        case "*":
            asking.withdraw(c)
        case _:
            once_more(c, "invalid")


def once_more(c: Change, *first: str) -> None:
    """Read it again. A committed request that is never answered stands, though not for another number that was not
    confirmed: nothing the caller asked for is lost."""
    number = asking.candidate(c)
    c.set(waiting=replace(c.it.waiting, tries=c.it.waiting.tries + 1))
    if c.it.waiting.tries < workflow.step(c).tries:
        asking.read_back(c, number)
    elif c.it.request.requested_at:
        c.set(waiting=replace(c.it.waiting, digits=""))
        asking.book(c)
    else:
        asking.leave_dialogue(c)
