"""Whose time to answer is over. Counterpart: `routing.engine.deciding`, which knows whether they were called."""

from datetime import datetime

from routing.core.interaction import Deadline, Interaction, Leg, LegState, Role

_GIVEN = {Deadline.CUSTOMER_ANSWER: Role.CUSTOMER, Deadline.OFFER: Role.AGENT, Deadline.AGENT_ANSWER: Role.AGENT}


def unanswered(it: Interaction, now: datetime) -> Leg | None:
    """The leg that was given until `now` to answer, and did not; of several the one whose time was over first."""
    over = sorted((at, kind) for kind, at in it.deadlines.items() if kind in _GIVEN and at <= now)
    legs = (it.leg(_GIVEN[kind]) for _, kind in over)
    return next((leg for leg in legs if leg and leg.state is not LegState.UP), None)
