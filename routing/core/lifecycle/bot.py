"""Bot: the system asks the caller something, or tells a customer that no agent came. What is asked, and what follows
from the answers: `dialogues`.
"""

from routing.core.events import DigitPressed, DuplicateFound, Event, LegGone, PromptFinished
from routing.core.feed import FeedEvent
from routing.core.interaction import Role
from routing.core.lifecycle import asking, line
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import deny
from routing.core.lifecycle.dialogues import dialogue


def when_bot(c: Change, event: Event) -> None:
    match event:
        case DigitPressed(leg, digit) if c.is_caller(leg):
            dialogue(c).key(c, digit)
        case PromptFinished(_, say) if say == c.it.playing:
            prompt_ended(c)
        case LegGone(leg, lost=lost) if c.is_caller(leg):
            line.caller_gone(c, lost=lost)
        case LegGone(leg, certain=certain) if (gone := c.it.leg_with(leg)) and gone.role is Role.CUSTOMER:
            c.gone(gone, certain=certain)
            line.back_to_line(c, front=True)
        case DuplicateFound() if c.it.stage in asking.ASKS_FOR_CALLBACK:
            _duplicate(c)
        case _:
            deny(c, event)


def prompt_ended(c: Change) -> None:
    c.said()
    dialogue(c).spoken(c)


def no_key(c: Change) -> None:
    """The caller let the time for a key pass."""
    dialogue(c).silence(c)


def _duplicate(c: Change) -> None:
    """The older callback of this number stands; this caller may wait on."""
    c.tell(FeedEvent.CALLBACK_DUPLICATE)
    asking.leave_dialogue(c, "callback-exists")
