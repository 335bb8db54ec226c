"""What a decision may change is said twice, for the type checker's sake; both say the same."""

from dataclasses import fields
from typing import get_type_hints

from routing.core.interaction import Fields, Interaction


def test_what_may_change_has_the_type_that_it_has_in_the_interaction() -> None:
    has, may_change = get_type_hints(Interaction), get_type_hints(Fields)
    assert {name: has[name] for name in may_change} == may_change
    assert {each.name for each in fields(Interaction)} - may_change.keys() == {"id", "entered_at", "dialled_number"}
