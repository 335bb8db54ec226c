"""The last words; then the system hangs up."""

from routing.core.effects import HangUp
from routing.core.interaction import Deadline
from routing.core.lifecycle.change import Change


def spoken(c: Change) -> None:
    """Asked again until the leg reports its end."""
    for leg in c.it.legs:
        c.do(HangUp(leg.id))
    c.due_in(Deadline.PLAYBACK, 5)
