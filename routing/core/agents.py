"""Agents: what they are willing to do, what they are doing, and what that makes of them. Pure.

`agents.availability` is what an agent chose; an open row of `assignments` is what the agent does, and it wins.
"""

import hashlib
import re
from enum import StrEnum

from routing.core.errors import Invalid, PhoneUnreachable

RESERVED_IDS = frozenset({"carrier"})
"""Names of our own endpoints in asterisk-config/pjsip.conf: an account of that name would replace the trunk."""

SIP_REALM = "ringback"
"""The same as `dialplan.words.SIP_REALM`; a test compares them."""

MOST_DIGITS_IN_AN_ID = 6
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


class Availability(StrEnum):
    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    READY = "ready"


class Work(StrEnum):
    """The one thing an agent is doing: `assignments.state`."""

    OFFERED = "offered"
    BUSY = "busy"
    WRAP_UP = "wrap_up"


class AgentState(StrEnum):
    """What an agent is shown as."""

    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    READY = "ready"
    OFFERED = "offered"
    BUSY = "busy"
    WRAP_UP = "wrap_up"


class PhoneState(StrEnum):
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    BUSY = "busy"


class Reason(StrEnum):
    """Why the system made an agent Not Ready; agents add reasons of their own."""

    LOGIN = "login"
    RONA = "rona"
    PHONE_UNREACHABLE = "phone_unreachable"


def state_of(availability: Availability, work: Work | None) -> AgentState:
    """Work wins over what the agent chose."""
    return AgentState(work or availability)


def shown(
    availability: Availability, reason: str | None, work: Work | None, phone: PhoneState
) -> tuple[AgentState, str | None]:
    """State and reason as others see them: an agent whose phone is gone is never shown as Ready (M39)."""
    state = state_of(availability, work)
    if state is AgentState.READY and phone is PhoneState.UNREACHABLE:
        return AgentState.NOT_READY, Reason.PHONE_UNREACHABLE
    return state, reason if state is AgentState.NOT_READY else None


def check_change(wanted: Availability, phone: PhoneState) -> None:
    """Whether an agent may choose this. Raises PhoneUnreachable: nobody is Ready without a phone (M39)."""
    if wanted is Availability.READY and phone is PhoneState.UNREACHABLE:
        raise PhoneUnreachable


def after_login(availability: Availability) -> Availability | None:
    """What a login changes: it leaves an agent Not Ready; a second login of one who works changes nothing."""
    return Availability.NOT_READY if availability is Availability.LOGGED_OUT else None


def check_id(agent_id: str) -> None:
    """Raises Invalid for an id that Asterisk cannot have, or would take for the trunk or for a caller."""
    if not _ID.fullmatch(agent_id):
        raise Invalid("An id is 1 to 32 letters, digits, dots, dashes and underscores.", "/id")
    if agent_id.lower() in RESERVED_IDS:
        raise Invalid("This name is taken by Ringback itself.", "/id")
    if agent_id.isdigit() and len(agent_id) > MOST_DIGITS_IN_AN_ID:
        raise Invalid(f"An id of more than {MOST_DIGITS_IN_AN_ID} digits looks like a caller's number.", "/id")


def ha1(agent_id: str, sip_password: str, realm: str = SIP_REALM) -> str:
    """The digest secret of RFC 2617, all that is kept of a SIP password. Asterisk is told it as `md5_cred`."""
    text = f"{agent_id}:{realm}:{sip_password}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
