"""Which lines of a call died, by how long each has been silent."""

import pytest

from dialplan.silence import dead_lines
from routing.core.interaction import Role

LIMITS = {Role.CALLER: 30.0, Role.CUSTOMER: 30.0, Role.AGENT: 30.0}
TALK = {"customer": Role.CUSTOMER, "agent": Role.AGENT}


def dead(agent: float, customer: float) -> list[str]:
    return dead_lines(TALK, {"agent": agent, "customer": customer}, LIMITS, 5.0)


def test_a_line_is_dead_before_one_more_look_would_be_over_the_limit() -> None:
    assert dead(agent=0, customer=24.9) == []
    assert dead(agent=0, customer=25) == ["customer"]


@pytest.mark.parametrize(("agent", "customer"), [(25, 25), (25, 15), (15, 25), (20, 26)])
def test_the_agents_line_is_told_of_first_whichever_was_found_first(agent: float, customer: float) -> None:
    assert dead(agent, customer) == ["agent", "customer"]


def test_who_has_only_paused_is_not_dead_because_the_other_end_is() -> None:
    assert dead(agent=14.9, customer=25) == ["customer"]


def test_a_pause_alone_is_never_death() -> None:
    assert dead(agent=20, customer=20) == []


def test_each_role_has_its_own_limit() -> None:
    limits = {**LIMITS, Role.AGENT: 12.0}
    assert dead_lines(TALK, {"agent": 8, "customer": 10}, limits, 2.0) == []
    assert dead_lines(TALK, {"agent": 10, "customer": 15}, limits, 2.0) == ["agent", "customer"]


def test_a_line_that_is_not_watched_never_dies() -> None:
    assert dead_lines(TALK, {"customer": 25}, {**LIMITS, Role.AGENT: 0.0}, 5.0) == ["customer"]
