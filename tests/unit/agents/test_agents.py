"""What agents choose, what they do, and what they are shown as."""

import pytest

from dialplan import accounts, words
from routing.core.agents import (
    SIP_REALM,
    AgentState,
    Availability,
    PhoneState,
    Work,
    after_login,
    check_change,
    check_id,
    ha1,
    shown,
    state_of,
)
from routing.core.errors import Invalid, PhoneUnreachable


@pytest.mark.parametrize("availability", Availability)
@pytest.mark.parametrize("work", Work)
def test_work_wins_over_what_an_agent_chose(availability: Availability, work: Work) -> None:
    assert state_of(availability, work) == work.value


@pytest.mark.parametrize("availability", Availability)
def test_without_work_an_agent_is_what_they_chose(availability: Availability) -> None:
    assert state_of(availability, None) == availability.value


@pytest.mark.parametrize("phone", PhoneState)
def test_only_an_agent_with_a_phone_is_shown_as_ready(phone: PhoneState) -> None:
    state, reason = shown(Availability.READY, None, None, phone)

    if phone is PhoneState.UNREACHABLE:
        assert (state, reason) == (AgentState.NOT_READY, "phone_unreachable")
    else:
        assert (state, reason) == (AgentState.READY, None)


def test_a_phone_lost_during_a_call_does_not_hide_the_call() -> None:
    assert shown(Availability.READY, None, Work.BUSY, PhoneState.UNREACHABLE) == (AgentState.BUSY, None)


def test_a_reason_is_shown_with_not_ready_only() -> None:
    assert shown(Availability.NOT_READY, "lunch", None, PhoneState.REACHABLE) == (AgentState.NOT_READY, "lunch")
    assert shown(Availability.NOT_READY, "lunch", Work.WRAP_UP, PhoneState.REACHABLE) == (AgentState.WRAP_UP, None)
    assert shown(Availability.LOGGED_OUT, "old", None, PhoneState.REACHABLE) == (AgentState.LOGGED_OUT, None)


def test_ready_needs_a_phone_and_nothing_else_does() -> None:
    with pytest.raises(PhoneUnreachable):
        check_change(Availability.READY, PhoneState.UNREACHABLE)
    check_change(Availability.READY, PhoneState.BUSY)
    check_change(Availability.NOT_READY, PhoneState.UNREACHABLE)
    check_change(Availability.LOGGED_OUT, PhoneState.UNREACHABLE)


def test_a_login_changes_only_who_was_logged_out() -> None:
    assert after_login(Availability.LOGGED_OUT) is Availability.NOT_READY
    assert after_login(Availability.NOT_READY) is None
    assert after_login(Availability.READY) is None


@pytest.mark.parametrize("agent_id", ["1001", "ada", "a.b_c-d", "x" * 32, "123456", "1234567a"])
def test_ids_that_are_names_are_fine(agent_id: str) -> None:
    check_id(agent_id)


@pytest.mark.parametrize(
    "agent_id", ["", "x" * 33, "+49", "a b", "ä", "-a", "1001\n", "1234567", "carrier", "CARRIER"]
)
def test_ids_asterisk_cannot_have_or_would_mistake_are_refused(agent_id: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_id(agent_id)

    assert refused.value.pointer == "/id"


def test_the_digest_is_the_one_asterisk_is_told() -> None:
    assert words.SIP_REALM == SIP_REALM
    assert ha1("1001", "secret") == accounts.ha1("1001", "secret")
