"""Holds for every state the core can reach and every event that can happen there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from routing.core.context import Context
from routing.core.effects import DialCustomer, HangUp, RingAgent
from routing.core.events import (
    CallbackRequested,
    CallStopped,
    Cancelled,
    LegGone,
    LineDied,
    NumberRefused,
    Operation,
    Rescheduled,
    Settled,
)
from routing.core.feed import FeedEvent
from routing.core.interaction import Deadline, Interaction, LegState, Outcome, Role, Status, Subtype
from routing.core.lifecycle import Released, request
from routing.core.requirements import MayCall, Moment
from tests.lifecycle.explore import QUEUE, START, Move, every_move

BEGINNINGS = {FeedEvent.ENTERED}
"""Told by what has no place before it."""
WHY_RELEASED = {
    "rejected", "rona", "offer_withdrawn", "abandoned", "caller_lost", "number_refused",
    "agent_leg_gone", "agent_leg_lost", "agent_lost", "agent_released", "line_dead", "call_lost",
    "call_ended", "closed", "retry_scheduled", "reopened",
    "requeued", "reassigned", "rescheduled", "settled",
}  # fmt: skip
"""What ends an agent's assignment: reports group by it."""
HELD = {Status.OFFERED, Status.CONNECTED, Status.WRAP_UP}


@pytest.fixture(scope="module")
def all_moves() -> list[Move]:
    return list(every_move())


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
            assert before.subtype is Subtype.INBOUND and after.request.requested_at
            by_hand = before.status is Status.WRAP_UP and isinstance(move.event, Rescheduled | Settled)
            assert by_hand or (
                before.request.requested_at and isinstance(move.event, CallStopped | LegGone | LineDied)
            )


def test_the_place_in_line_is_kept(made: list[Move]) -> None:
    for before, after, move in changed(made):
        due = after.deadlines.get(Deadline.DUE) if isinstance(move.event, Rescheduled) else None
        assert after.place.queued_at == due or after.place.queued_at == before.place.queued_at


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


def test_a_refused_number_is_never_dialled(made: list[Move]) -> None:
    for before, after, move in changed(made):
        if isinstance(move.event, NumberRefused) and move.decision:
            assert not any(isinstance(each, DialCustomer | RingAgent) for each in move.decision.effects), move
            assert len(after.attempts) == len(before.attempts)


def test_a_callback_that_may_never_be_called_goes_to_no_other_agent(made: list[Move]) -> None:
    seen = set()
    for before, after, move in changed(made):
        waits = before.status in (Status.OPEN, Status.OFFERED) and before.subtype is Subtype.CALLBACK
        if waits and isinstance(move.event, NumberRefused) and move.event.rule == "do_not_call":
            assert (after.status, after.outcome, after.assigned_to) == (Status.CLOSED, "blocked", None), move
            seen.add(before.status)
    assert seen == {Status.OPEN, Status.OFFERED}


def test_a_callback_that_may_be_called_later_waits_for_that_at_its_place(made: list[Move]) -> None:
    held = 0
    for before, after, move in changed(made):
        waits = after.subtype is Subtype.CALLBACK and after.status is Status.OPEN and after != before
        if waits and isinstance(move.event, NumberRefused) and move.event.rule == "window":
            assert (after.place.not_before, after.place.queued_at) == (move.event.until, before.place.queued_at)
            assert after.assigned_to is None
            if Deadline.EXPIRY in before.deadlines and Deadline.EXPIRY in after.deadlines:
                assert after.deadlines[Deadline.EXPIRY] > before.deadlines[Deadline.EXPIRY], "nights use up no time"
            held += 1
    assert held


def test_a_customer_whose_phone_rings_is_not_hung_up_by_a_rule(made: list[Move]) -> None:
    for before, after, move in changed(made):
        customer = before.leg(Role.CUSTOMER)
        if isinstance(move.event, NumberRefused) and customer and customer.state is not LegState.REQUESTED:
            assert after == before, move


def test_whoever_is_refused_is_told_a_fixed_code(all_moves: list[Move]) -> None:
    codes = {move.refusal.code for move in all_moves if move.refusal}
    assert codes == {"not_open", "not_offered", "wrong_stage", "forbidden"}


def test_every_decision_names_who_did_it(made: list[Move]) -> None:
    for move in made:
        for line in move.decision.feed if move.decision else ():
            assert line.actor in ("caller", "customer", "system") or line.actor.startswith(("agent:", "operator:"))


def test_exactly_the_callbacks_nobody_works_on_can_be_cancelled_and_nothing_rings_on(all_moves: list[Move]) -> None:
    cancels = [move for move in all_moves if isinstance(move.event, Cancelled)]
    assert {move.before.status for move in cancels} == set(Status)
    for move in cancels:
        waits = move.before.status in (Status.OPEN, Status.OFFERED, Status.SCHEDULED)
        assert bool(move.decision) == (waits and move.before.subtype is Subtype.CALLBACK), move
        if move.decision:
            hung_up = {each.leg for each in move.decision.effects if isinstance(each, HangUp)}
            assert move.decision.interaction.outcome == "cancelled_by_operator"
            assert hung_up == {leg.id for leg in move.before.legs}


def test_nothing_done_from_outside_touches_a_call_under_way(made: list[Move]) -> None:
    for before, after, move in changed(made):
        if isinstance(move.event, Operation) and before.attempt:
            assert (after.legs, after.attempts, after.number, after.status) == (
                before.legs,
                before.attempts,
                before.number,
                before.status,
            ), move


def test_whoever_is_let_go_is_told_why_and_every_word_of_the_feed_is_used(made: list[Move]) -> None:
    decisions = [move.decision for move in made if move.decision]
    why = {each.why for one in decisions for each in one.agents if isinstance(each, Released)}
    told = {line.event for one in decisions for line in one.feed}
    assert why == WHY_RELEASED
    assert set(FeedEvent) - told == BEGINNINGS


def test_what_is_required_goes_with_what_is_done(made: list[Move]) -> None:
    """Nobody is asked to be called, and nobody is dialled for the first time, without the number rules."""
    for before, after, move in changed(made):
        assert move.decision
        moments = {each.moment for each in move.decision.requires if isinstance(each, MayCall)}
        dials = any(isinstance(each, DialCustomer) for each in move.decision.effects)
        if after.request.requested_at and not before.request.requested_at and after.status is not Status.CLOSED:
            assert moments == {Moment.PROMISE}, move
        elif dials and after.subtype is Subtype.CALLBACK:
            assert Moment.DIAL in moments, move


@pytest.mark.parametrize("at", [None, START + timedelta(days=1)], ids=["as soon as possible", "for a time"])
def test_what_is_asked_for_over_the_api_is_a_promise(at: datetime | None) -> None:
    event = CallbackRequested("operator:admin", QUEUE.name, "+4915112345678", at=at)
    required = request(UUID(int=8), Context(QUEUE, START), 1, event).requires
    assert MayCall(Moment.PROMISE, "+4915112345678", QUEUE.name) in required
    assert len(required) == (1 if at is None else 2)
