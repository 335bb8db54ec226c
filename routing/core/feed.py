"""The feed's words: what is told of an interaction, and who did it. They are stored, shown and counted: one that was
used keeps its meaning. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from routing.core.interaction import Status

CALLER, CUSTOMER, SYSTEM = "caller", "customer", "system"
"""Actors, besides agents and operators."""
_AGENT, _OPERATOR = "agent:", "operator:"


def agent_actor(agent: str) -> str:
    return f"{_AGENT}{agent}"


def operator_actor(name: str) -> str:
    """Of somebody who acts on other people's interactions: their agent id, or the role of their token."""
    return f"{_OPERATOR}{name}"


def is_agent(actor: str) -> bool:
    return actor.startswith(_AGENT)


class FeedEvent(StrEnum):
    """What a line tells. Behind each, what its `data` holds."""

    # The caller waits
    ENTERED = "entered"  # dialled_number
    ANNOUNCED = "announced"  # step, what, position
    MENU_STARTED = "menu_started"  # step, menu
    DIGIT_PRESSED = "digit_pressed"  # digit, menu
    KEPT_WAITING = "kept_waiting"
    ABANDONED = "abandoned"  # waited
    CALLER_LOST = "caller_lost"

    # A callback comes of it
    CALLBACK_REQUESTED = "callback_requested"  # over the API: kind, due_at
    CALLBACK_CONFIRMED = "callback_confirmed"
    CALLBACK_WITHDRAWN = "callback_withdrawn"
    CALLBACK_DUPLICATE = "callback_duplicate"
    NUMBER_REFUSED = "number_refused"  # rule, agent, until
    CONVERTED = "converted"  # subtype
    DUE = "due"
    REOPENED = "reopened"  # front

    # An agent gets it
    OFFERED = "offered"  # agent, accept_mode
    OFFER_WITHDRAWN = "offer_withdrawn"  # agent, reason
    ACCEPTED = "accepted"  # agent, by
    REJECTED = "rejected"  # agent, sip_cause
    RONA = "rona"  # agent
    PICKED_UP = "picked_up"  # agent
    AGENT_RINGING = "agent_ringing"  # agent
    NO_ALERT = "no_alert"  # agent
    AGENT_ANSWERED = "agent_answered"  # agent
    AGENT_LEG_GONE = "agent_leg_gone"  # agent, sip_cause, refused
    AGENT_LEG_LOST = "agent_leg_lost"  # agent
    AGENT_LOST = "agent_lost"  # agent, sip_cause
    AGENT_RELEASED = "agent_released"  # agent, reason

    # The call
    DIALING = "dialing"  # attempt, agent
    CUSTOMER_RINGING = "customer_ringing"
    CUSTOMER_ANSWERED = "customer_answered"
    TALKING = "talking"  # agent
    ATTEMPT_ENDED = "attempt_ended"  # attempt, outcome, sip_cause
    CALL_ENDED = "call_ended"  # by
    CALL_LOST = "call_lost"  # role
    LINE_DEAD = "line_dead"  # role
    APOLOGISED = "apologised"
    READY_TO_CALL = "ready_to_call"
    REDIALLED = "redialled"  # agent
    RETRY_SCHEDULED = "retry_scheduled"  # delay

    # After the call, and what people do to it
    WRAP_UP = "wrap_up"  # seconds
    DISPOSITION = "disposition"  # disposition, note
    CLOSED = "closed"  # outcome
    CANCELLED = "cancelled"  # reason
    REQUEUED = "requeued"  # queue, priority, reason
    REASSIGNED = "reassigned"  # agent, old_agent
    RESCHEDULED = "rescheduled"  # due_at, old_due_at
    SETTLED = "settled"  # resolved
    EDITED = "edited"  # field, old, new
    NOTE_ADDED = "note_added"  # note


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One line of an interaction's story. `status` is the one that what it tells of led to."""

    event: FeedEvent
    actor: str
    data: Mapping[str, Any] = field(default_factory=dict)
    status: Status | None = None
