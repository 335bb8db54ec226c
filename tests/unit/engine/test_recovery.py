"""What an interaction missed while nobody listened, by what Asterisk holds now."""

from routing.core.context import Context
from routing.core.events import DigitPressed, LegAnswered, LegGone, LegRinging, Offered, ServiceRestarted
from routing.core.interaction import Interaction, Leg, LegState, Place, Role, Status
from routing.core.lifecycle import decide
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import missed
from tests.lifecycle.explore import QUEUE, START, arrival

A, C = "a" * 32, "c" * 32


def with_legs(*legs: Leg) -> Interaction:
    return Interaction(arrival().interaction.id, "support", 1, START, Place(START), Status.CONNECTED, legs=legs)


def alive(**channels: ChannelState) -> Alive:
    return Alive({{"a": A, "c": C}[name]: state for name, state in channels.items()})


def test_a_leg_that_is_not_there_any_more_is_gone() -> None:
    it = with_legs(Leg(A, Role.AGENT, "1001", LegState.UP), Leg(C, Role.CUSTOMER, "+49", LegState.RINGING))
    assert missed(it, alive(a=ChannelState.UP)) == [LegGone(C, certain=False), ServiceRestarted()]


def test_of_a_leg_that_ended_since_contact_is_there_all_that_was_heard_is_told() -> None:
    it = with_legs(Leg(C, Role.CALLER, "+49", LegState.UP), Leg(A, Role.AGENT, "1001"))
    pressed, hung_up, rejected = DigitPressed(C, "2"), LegGone(C), LegGone(A, 486)
    news = missed(it, Alive({}, told={C: (pressed, hung_up), A: (rejected,)}))
    assert news == [pressed, hung_up, rejected, ServiceRestarted()]
    news = missed(it, Alive({}, told={C: (pressed,)}))
    assert news == [pressed, LegGone(C, certain=False), ServiceRestarted()]


def test_a_leg_that_came_further_is_told_so() -> None:
    it = with_legs(Leg(A, Role.AGENT, "1001", LegState.REQUESTED), Leg(C, Role.CUSTOMER, "+49", LegState.RINGING))
    news = missed(it, alive(a=ChannelState.RINGING, c=ChannelState.UP))
    assert news == [LegRinging(A), LegAnswered(C), ServiceRestarted()]


def test_what_is_as_before_is_no_news() -> None:
    it = with_legs(Leg(A, Role.AGENT, "1001", LegState.UP), Leg(C, Role.CUSTOMER, "+49", LegState.RINGING))
    assert missed(it, alive(a=ChannelState.UP, c=ChannelState.RINGING)) == [ServiceRestarted()]


def test_a_customers_leg_that_was_only_asked_for_is_never_asked_for_again_once_it_is_gone() -> None:
    it = with_legs(Leg(A, Role.AGENT, "1001", LegState.UP), Leg(C, Role.CUSTOMER, "+49"))
    assert missed(it, alive(a=ChannelState.UP)) == [LegGone(C, certain=False), ServiceRestarted()]


def test_an_agents_leg_that_was_only_asked_for_is_asked_for_again() -> None:
    it = decide(arrival().interaction, Context(QUEUE, START), Offered("1001")).interaction
    agent = it.leg(Role.AGENT)
    assert agent
    news = missed(it, Alive({"caller-1": ChannelState.UP}))
    assert news == [ServiceRestarted()]
    effects = decide(it, Context(QUEUE, START), news[0]).effects
    (ring,) = [each for each in effects if type(each).__name__ == "RingAgent"]
    assert ring.leg == agent.id
