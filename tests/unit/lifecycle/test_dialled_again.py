"""A customer's call that may never have left is made again after a restart, and asked about like the first time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from routing.core.context import Context
from routing.core.effects import DialCustomer, HangUp, PlayRingback
from routing.core.events import Event, LegAnswered, LegGone, NoteAdded, NumberRefused, PickedUp, ServiceRestarted
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status
from routing.core.lifecycle import Decision, decide
from routing.core.numbers import Rule
from routing.core.requirements import MayCall, Moment
from tests.lifecycle.explore import AGENT, QUEUE, START, every_move

NOW = START + timedelta(seconds=60)
LATER = NOW + timedelta(hours=1)


def after(it: Interaction, *events: Event) -> Decision:
    decision = Decision(it)
    for event in events:
        decision = decide(decision.interaction, Context(QUEUE, NOW), event)
    return decision


def dialling() -> Interaction:
    """The agent is on the line, the dial is stored; nobody has heard of the customer's phone yet."""
    it = next(
        move.before
        for move in every_move()
        if move.before.status is Status.OPEN and move.before.request.requested_at and not move.before.legs
    )
    it = after(it.changed(place=replace(it.place, not_before=None)), PickedUp(AGENT)).interaction
    agent = it.leg(Role.AGENT)
    assert agent
    it = after(it, LegAnswered(agent.id)).interaction
    assert it.stage is Stage.DIALING and it.attempt
    return it


def test_to_dial_again_is_asked_about() -> None:
    it = dialling()
    again = after(it, ServiceRestarted())
    agent, customer = (leg.id for leg in it.legs)
    dial = DialCustomer(customer, it.id.hex, "+4915112345678", "600", 35.0, made=True)
    assert again.effects == (PlayRingback(agent), dial)
    assert again.requires == (MayCall(Moment.DIAL, "+4915112345678", it.queue),)
    assert again.interaction.attempts == it.attempts, "it is the same attempt"


def test_what_dials_nobody_is_not_asked_about() -> None:
    it = dialling()
    for event in (NoteAdded("agent:1001", "a note"), LegGone(it.legs[0].id)):
        assert after(it, event).requires == ()


@pytest.mark.parametrize(
    ("rule", "until", "status", "outcome"),
    [
        (Rule.DO_NOT_CALL, None, Status.CLOSED, "blocked"),
        (Rule.PROCESS, None, Status.OPEN, None),
        (Rule.WINDOW, LATER, Status.OPEN, None),
    ],
)
def test_a_call_that_may_not_be_made_again_is_taken_back(
    rule: Rule, until: object, status: Status, outcome: str | None
) -> None:
    it = dialling()
    refused = after(it, NumberRefused(rule, until))  # type: ignore[arg-type]
    now = refused.interaction
    assert (now.status, now.outcome, now.assigned_to, now.legs) == (status, outcome, None, ())
    assert now.place.not_before == until
    agent, customer = (leg.id for leg in it.legs)
    assert refused.effects == (HangUp(customer), HangUp(agent))
    assert now.attempts[-1].outcome is Outcome.UNKNOWN, "its INVITE may have gone out, unheard of"
    told = [line.event for line in refused.feed]
    assert told[:2] == ["number_refused", "attempt_ended"]


def test_a_call_that_rings_already_is_left_alone() -> None:
    it = dialling()
    customer = it.leg(Role.CUSTOMER)
    assert customer
    answered = after(it, LegAnswered(customer.id)).interaction
    assert after(answered, NumberRefused(Rule.DO_NOT_CALL)).ignored
