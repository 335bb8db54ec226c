"""Holds for every state the core can reach and every event that can happen there."""

from collections.abc import Iterator

import pytest

from routing.effects import DialCustomer, RingAgent
from routing.events import LegGone
from routing.interaction import Interaction, Outcome, Role, Status, Subtype
from routing.lifecycle.explore import Move, moves

HELD = {Status.OFFERED, Status.CONNECTED, Status.WRAP_UP}


@pytest.fixture(scope="module")
def all_moves() -> list[Move]:
    return list(moves())


@pytest.fixture(scope="module")
def made(all_moves: list[Move]) -> list[Move]:
    return [move for move in all_moves if move.decision]


def changed(made: list[Move]) -> Iterator[tuple[Interaction, Interaction, Move]]:
    for move in made:
        assert move.decision
        yield move.before, move.decision.interaction, move


def test_every_status_is_reached(made: list[Move]) -> None:
    assert {after.status for _, after, _ in changed(made)} == set(Status)


def test_an_agent_is_named_exactly_while_somebody_has_it(made: list[Move]) -> None:
    for _, after, move in changed(made):
        if after.status is not Status.CLOSED:
            assert (after.assigned_to is not None) == (after.status in HELD), move


def test_a_closed_interaction_never_changes(made: list[Move]) -> None:
    for before, after, _ in changed(made):
        if before.status is Status.CLOSED:
            assert after == before


def test_closing_says_how_and_leaves_nothing_behind(made: list[Move]) -> None:
    for _, after, _ in changed(made):
        if after.status is Status.CLOSED:
            assert after.outcome and after.closed_at and not after.legs and not after.deadlines
            assert after.attempt is None


def test_an_open_callback_has_no_channel_and_an_open_call_has_its_caller(made: list[Move]) -> None:
    for _, after, move in changed(made):
        if after.status is Status.OPEN and after.subtype is Subtype.CALLBACK:
            assert not after.legs, move
        if after.status is Status.OPEN and after.subtype is Subtype.INBOUND:
            assert after.leg(Role.CALLER), move


def test_inbound_becomes_callback_only_by_request_and_never_goes_back(made: list[Move]) -> None:
    for before, after, move in changed(made):
        if before.subtype is not after.subtype:
            assert before.subtype is Subtype.INBOUND and before.requested_at
            assert isinstance(move.event, LegGone)


def test_the_place_in_line_is_kept(made: list[Move]) -> None:
    for before, after, _ in changed(made):
        assert after.queued_at == before.queued_at


def test_every_customer_leg_belongs_to_the_one_attempt_under_way(made: list[Move]) -> None:
    for _, after, move in changed(made):
        customer = after.leg(Role.CUSTOMER)
        apologising = after.status is Status.BOT
        assert len([each for each in after.attempts if each.ended_at is None]) <= 1
        if customer and not apologising:
            assert after.attempt and after.attempt.id == customer.id, move


def test_a_customer_is_dialled_only_with_a_new_attempt_and_an_agents_phone_known_to_ring(made: list[Move]) -> None:
    for before, after, move in changed(made):
        for effect in move.decision.effects if move.decision else ():
            if isinstance(effect, DialCustomer):
                agent = after.leg(Role.AGENT)
                known = {each.id for each in before.attempts}
                again = before.leg_with(effect.leg) is not None
                assert effect.leg not in known or again, move
                assert agent is not None and (again or agent.state != "asked"), move


def test_no_leg_is_rung_twice_by_new_ids(made: list[Move]) -> None:
    for _, after, move in changed(made):
        rung = [each for each in (move.decision.effects if move.decision else ()) if isinstance(each, RingAgent)]
        assert len(rung) <= 1
        assert len(after.legs) == len({leg.role for leg in after.legs})


def test_everything_that_is_not_closed_or_waiting_for_an_agent_has_a_deadline(made: list[Move]) -> None:
    for _, after, move in changed(made):
        waits_for_agent = after.status is Status.OPEN
        talks = after.stage == "talking"
        if not (after.status is Status.CLOSED or waits_for_agent or talks):
            assert after.wake_at is not None, move


def test_the_centres_own_failures_are_told_from_the_customers(made: list[Move]) -> None:
    for _, after, _ in changed(made):
        for attempt in after.attempts:
            assert attempt.outcome is not Outcome.ANSWERED or attempt.answered_at


def test_whoever_is_refused_is_told_a_fixed_code(all_moves: list[Move]) -> None:
    codes = {move.refusal.code for move in all_moves if move.refusal}
    assert codes == {"not_open", "not_offered", "wrong_stage", "forbidden"}


def test_every_decision_names_who_did_it(made: list[Move]) -> None:
    for move in made:
        for line in move.decision.feed if move.decision else ():
            assert line.actor in ("caller", "customer", "system") or line.actor.startswith("agent:")
