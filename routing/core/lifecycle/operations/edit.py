"""Edit, and notes (T34, T40)."""

from dataclasses import replace
from typing import Any

from routing.core.events import Edited, NoteAdded
from routing.core.feed import FeedEvent
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.operations import points, returning


def edit(c: Change, event: Edited) -> None:
    """Each change is a line of the feed with the old value."""
    if event.number is not None and event.number != c.it.number:
        _edit_number(c, event.number)
    if event.priority is not None and event.priority != c.it.place.priority:
        _edited(c, "priority", c.it.place.priority, event.priority)
        c.set(place=replace(c.it.place, priority=event.priority))
    if event.instructions is not None:
        _edit_instructions(c, event.instructions or None)
    if event.case_data is not None:
        _edit_case_data(c, dict(event.case_data))


def _edit_number(c: Change, number: str) -> None:
    """Only while nobody is called; with another number the trying begins anew."""
    if not (points.waits(c) or points.between_calls(c)):
        points.refuse(c)
    _edited(c, "number", c.it.number, number)
    c.set(number=number)
    returning.begin_anew(c)


def _edit_instructions(c: Change, new: str | None) -> None:
    case = c.it.case
    if new != case.instructions:
        _edited(c, "instructions", case.instructions, new)
        c.set(case=replace(case, instructions=new))


def _edit_case_data(c: Change, named: dict[str, Any]) -> None:
    """RFC 7396: the keys that are named change, null removes one."""
    data = c.it.case.data
    changed = {key: value for key, value in named.items() if data.get(key) != value}
    if changed:
        _edited(c, "case_data", {key: data.get(key) for key in changed}, changed)
        merged = {key: value for key, value in {**data, **changed}.items() if value is not None or key not in changed}
        c.set(case=replace(c.it.case, data=merged))


def _edited(c: Change, field: str, old: object, new: object) -> None:
    c.tell(FeedEvent.EDITED, field=field, old=old, new=new)


def note(c: Change, event: NoteAdded) -> None:
    c.set(case=replace(c.it.case, note=event.text))
    c.tell(FeedEvent.NOTE_ADDED, note=event.text)
