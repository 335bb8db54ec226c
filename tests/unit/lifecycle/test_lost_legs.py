"""Asterisk fails with everybody in it: nobody hung up, so nobody abandoned, and nobody is to blame."""

from dataclasses import replace
from datetime import timedelta

import pytest
from story import not_ready

from routing.core.context import Context
from routing.core.effects import DestroyBridge, HangUp
from routing.core.events import (
    CallEnded,
    DigitPressed,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    Offered,
    PickedUp,
    TimeReached,
)
from routing.core.interaction import Deadline, Interaction, Leg, LegState, Outcome, Role, Stage, Status, Subtype
from routing.core.lifecycle import Decision, decide
from routing.core.queues import Queue
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import missed
from tests.lifecycle.explore import AGENT, QUEUE, START, arrival

NOW = START + timedelta(seconds=60)
WITHDRAWS = Queue.model_validate({**QUEUE.model_dump(mode="json"), "callback": {"on_hangup": "abandon"}})


def after(it: Interaction, *events: Event, queue: Queue = QUEUE) -> Decision:
    decision = Decision(it)
    for event in events:
        decision = decide(decision.interaction, Context(queue, NOW), event)
    return decision


def hung_up(it: Interaction, *roles: Role) -> tuple[HangUp, ...]:
    legs = [it.leg(role) for role in roles]
    return tuple(HangUp(leg.id) for leg in legs if leg)


def lost(it: Interaction, role: Role) -> LegGone:
    leg = it.leg(role)
    assert leg
    return LegGone(leg.id, certain=False, lost=True)


def callback(queue: Queue = QUEUE) -> Interaction:
    asked = confirming(queue)
    return after(asked, LegGone("caller-1"), queue=queue).interaction


def confirming(queue: Queue = QUEUE) -> Interaction:
    in_menu = arrival(queue).interaction.changed(
        status=Status.BOT, stage=Stage.MENU, waiting=arrival().interaction.waiting.__class__(step=1)
    )
    return after(in_menu, DigitPressed("caller-1", "2"), queue=queue).interaction


def may_be_offered() -> Interaction:
    it = callback()
    return it.changed(place=replace(it.place, not_before=None))


def ringing() -> Interaction:
    """The agent's phone was answered, the customer's rings."""
    it = after(may_be_offered(), PickedUp(AGENT)).interaction
    agent = it.leg(Role.AGENT)
    assert agent
    it = after(it, LegAnswered(agent.id)).interaction
    customer = it.leg(Role.CUSTOMER)
    assert customer
    return after(it, LegRinging(customer.id)).interaction


def test_a_caller_who_waited_was_lost_and_did_not_abandon() -> None:
    decision = after(arrival().interaction, LegGone("caller-1", lost=True))
    assert (decision.interaction.status, decision.interaction.outcome) == (Status.CLOSED, "error")
    assert [line.event for line in decision.feed] == ["caller_lost", "closed"]
    assert decision.effects == ()


def test_a_request_survives_even_where_a_hang_up_would_withdraw_it() -> None:
    it = confirming(WITHDRAWS)
    assert after(it, LegGone("caller-1"), queue=WITHDRAWS).interaction.outcome == "abandoned"
    decision = after(it, LegGone("caller-1", lost=True), queue=WITHDRAWS)
    kept = decision.interaction
    assert (kept.status, kept.subtype) == (Status.OPEN, Subtype.CALLBACK)
    assert decision.effects == ()


def test_an_offered_agent_stays_ready_and_may_be_offered_it_again() -> None:
    it = after(may_be_offered(), Offered(AGENT)).interaction
    decision = after(it, lost(it, Role.AGENT))
    assert decision.interaction.status is Status.OPEN
    assert not_ready(decision) is None and decision.interaction.place.excluded == {}
    assert decision.effects == hung_up(it, Role.AGENT)


def test_an_offered_caller_who_is_lost_frees_the_agent() -> None:
    it = after(arrival().interaction, Offered(AGENT)).interaction
    decision = after(it, lost(it, Role.CALLER))
    assert (decision.interaction.status, decision.interaction.outcome) == (Status.CLOSED, "error")
    assert decision.effects == hung_up(it, Role.AGENT)


@pytest.mark.parametrize("first", [Role.AGENT, Role.CUSTOMER])
def test_a_call_that_was_being_made_is_an_error_and_made_again_before_all_others(first: Role) -> None:
    it = ringing()
    decision = after(it, lost(it, first))
    again = decision.interaction
    assert (again.status, again.place.front, again.legs, again.place.excluded) == (Status.OPEN, True, (), {})
    assert [each.outcome for each in again.attempts] == [Outcome.ERROR]
    assert not_ready(decision) is None
    second = Role.CUSTOMER if first is Role.AGENT else Role.AGENT
    assert decision.effects == hung_up(it, first, second)


def test_a_talk_is_over_and_can_be_had_again() -> None:
    it = ringing()
    customer = it.leg(Role.CUSTOMER)
    assert customer
    talking = after(it, LegAnswered(customer.id)).interaction
    decision = after(talking, lost(talking, Role.AGENT))
    assert decision.interaction.stage is Stage.READY_TO_CALL
    assert [each.outcome for each in decision.interaction.attempts] == [Outcome.ANSWERED]
    assert decision.feed[0].actor == "system"
    assert decision.effects == (*hung_up(talking, Role.AGENT, Role.CUSTOMER), DestroyBridge(talking.bridge))


def test_after_a_new_start_of_asterisk_what_is_gone_was_lost() -> None:
    it = ringing()
    gone = [each for each in missed(it, Alive({}), anew=True) if isinstance(each, LegGone)]
    assert gone == [lost(it, Role.AGENT), lost(it, Role.CUSTOMER)]
    asked = it.changed(legs=(Leg("a" * 32, Role.AGENT, AGENT, LegState.REQUESTED),))
    assert isinstance(missed(asked, Alive({}), anew=True)[0], LegGone), "its phone's Asterisk never rang it"
    assert missed(asked, Alive({"a" * 32: ChannelState.UP}), anew=True)[0] == LegAnswered("a" * 32)


def test_who_ends_a_call_before_it_was_dialled_is_not_offered_it_next() -> None:
    it = after(may_be_offered(), PickedUp(AGENT), CallEnded(AGENT)).interaction
    assert it.stage is Stage.READY_TO_CALL
    over = it.deadlines[Deadline.READY_TO_CALL] + timedelta(seconds=1)
    later = decide(it, Context(QUEUE, over), TimeReached()).interaction
    assert later.status is Status.OPEN and AGENT in later.place.excluded
