"""What is asked of a caller, and what follows from each answer: one dialogue for each stage of `bot`.

They do not know each other: `asking` has the questions and where they lead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routing.core.interaction import Stage
from routing.core.lifecycle import asking
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.dialogues import confirm, farewell, menu, number_entry


def _passed_over(c: Change, _: str = "") -> None:
    c.ignore()


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`key`: one was pressed; `silence`: the time for one is over; `spoken`: the question was said."""

    key: Callable[[Change, str], None] = _passed_over
    silence: Callable[[Change], None] = _passed_over
    spoken: Callable[[Change], None] = asking.await_key


_FAREWELL = Dialogue(spoken=farewell.spoken)

DIALOGUES: Mapping[Stage, Dialogue] = {
    Stage.MENU: Dialogue(menu.key, menu.once_more),
    Stage.CONFIRM: Dialogue(confirm.key, confirm.once_more),
    Stage.NUMBER_ENTRY: Dialogue(number_entry.key, number_entry.once_more),
    Stage.BOOKED: _FAREWELL,
    Stage.LEAVING: _FAREWELL,
    Stage.APOLOGY: _FAREWELL,
}


def dialogue(c: Change) -> Dialogue:
    """The one it is in; where there is none, keys and silence say nothing."""
    return DIALOGUES.get(c.it.stage, Dialogue()) if c.it.stage else Dialogue()
