"""Which lines of a call died, by how long each has been silent."""

from types import SimpleNamespace
from typing import Any

import pytest

from dialplan.silence import Silence, dead_lines
from routing.core.interaction import Role

LIMITS = {Role.CALLER: 30.0, Role.CUSTOMER: 30.0, Role.AGENT: 30.0}
TALK = {"customer": Role.CUSTOMER, "agent": Role.AGENT}


def dead(agent: float, customer: float) -> list[str]:
    return dead_lines(TALK, {"agent": agent, "customer": customer}, LIMITS, 5.0)


def test_a_line_is_dead_before_one_more_look_would_be_over_the_limit() -> None:
    assert dead(agent=0, customer=20.1) == []
    assert dead(agent=0, customer=25) == ["customer"]


def test_a_look_that_came_a_moment_early_is_not_one_too_few() -> None:
    """Else the line would be dead one look later, and over the limit."""
    assert dead(agent=0, customer=24.997) == ["customer"]


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


async def look(tells_of_rtcp: str) -> list[str]:
    """At a silent leg that two rows hold; of whom the engine is told."""
    told: list[str] = []

    async def answer(_: str = "", variable: str = "") -> Any:
        return SimpleNamespace(rxcount=7, state="Up", value="0" if "hold" in variable else tells_of_rtcp)

    asterisk: Any = SimpleNamespace(
        channels=SimpleNamespace(rtpstatistics=answer, get=answer, get_channel_var=answer),
        asterisk=SimpleNamespace(get_global_var=answer),
    )
    engine: Any = SimpleNamespace(
        lines=lambda: [{"caller": Role.CALLER}, {"caller": Role.CALLER}], hear=lambda leg, _: told.append(leg)
    )
    await Silence(asterisk, engine, {Role.CALLER: 1e-9}, lambda: True).look()
    return told


async def test_a_leg_that_two_rows_hold_for_a_moment_is_told_of_once() -> None:
    """A row that landed late has the leg of its successor until one of them is closed (decision 204)."""
    assert await look(tells_of_rtcp="yes") == ["caller"]


async def test_where_asterisk_does_not_tell_of_rtcp_nothing_is_concluded() -> None:
    """As an earlier version configured it, and it runs on with its calls."""
    assert await look(tells_of_rtcp="") == []
