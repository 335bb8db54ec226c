"""Phones that ring: an offer to an agent, and the calls to agents and customers."""

from dataclasses import replace
from datetime import timedelta

from routing.core.effects import DialCustomer, RingAgent
from routing.core.feed import SYSTEM, FeedEvent
from routing.core.interaction import AgentPreferences, Deadline, Leg, LegState, Role, Sound, Status
from routing.core.lifecycle.change import Change
from routing.core.numbers import shown_to_customers

RING_MARGIN = 5.0
"""Seconds Asterisk rings on after our own deadline, so that ours decides."""


def offer(c: Change, agent: str, desk: AgentPreferences) -> None:
    c.set(status=Status.OFFERED, assigned_to=agent, desk=desk)
    auto = accepts_itself(c)
    c.due_in(Deadline.OFFER, c.queue.offer.countdown if auto else c.queue.offer.accept_timeout)
    c.tell(FeedEvent.OFFERED, SYSTEM, agent=agent, accept_mode="auto" if auto else "manual")
    if not (auto and desk.auto_answer):  # a phone that lifts by itself would cut the countdown short
        ring_agent(c, agent)


def accepts_itself(c: Change) -> bool:
    """Whether the offer is accepted when its countdown ends; the agent's own setting wins."""
    return (c.it.desk.accept_mode or c.queue.offer.accept_mode) == "auto"


def ring_agent(c: Change, agent: str, *, auto_answer: bool = False) -> None:
    """Ring the agent's phone, unless it rings already."""
    if c.leg(Role.AGENT):
        return
    c.do(agent_call(c, c.new_leg(Role.AGENT, agent), auto_answer=auto_answer))


def agent_call(c: Change, leg: Leg, *, auto_answer: bool = False) -> RingAgent:
    timeout = c.queue.offer.accept_timeout + c.queue.offer.answer_timeout + RING_MARGIN
    shown = c.it.number or "anonymous"
    return RingAgent(leg.id, c.it.id.hex, leg.party, shown, timeout, auto_answer)


def customer_call(c: Change, leg: Leg, *, made: bool = False) -> DialCustomer:
    caller_id = shown_to_customers(c.queue, c.it.dialled_number)
    timeout = c.queue.dial.ring_timeout + RING_MARGIN
    return DialCustomer(leg.id, c.it.id.hex, leg.party, caller_id, timeout, made)


def ring_tone(c: Change) -> None:
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.UP:
        c.hear(agent, Sound.RINGBACK)


def exclude(c: Change) -> None:
    if agent := c.it.assigned_to:
        until = c.now + timedelta(seconds=c.queue.offer.exclude)
        kept = {each: at for each, at in c.it.place.excluded.items() if at > c.now}
        c.set(place=replace(c.it.place, excluded={**kept, agent: until}))
