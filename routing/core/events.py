"""What has happened: the past tense of Ringback. Counterpart: `routing.core.effects`, what is to be done about it.

Network events name a leg (channel id); the interaction knows whose it is. People's events name the agent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from routing.core.interaction import AgentPreferences


class NumberFormat(StrEnum):
    """How a trunk writes numbers that have no `+`; with one they are E.164 (`routing.core.numbers.forms`)."""

    E164 = "e164"  # then they are none
    E164_NO_PLUS = "e164_no_plus"
    NATIONAL = "national"  # as one dials in the queue's region
    AUTO = "auto"  # one or the other, where only one number can be meant


@dataclass(frozen=True, slots=True)
class CallerArrived:
    """A call reached our application. `dialled` and `number` are as the trunk writes them, `number` None when
    withheld. `answered`: it has waited in the dialplan for us, with music."""

    leg: str
    dialled: str
    number: str | None
    name: str = ""
    answered: bool = False
    written: NumberFormat = NumberFormat.AUTO


@dataclass(frozen=True, slots=True)
class CallerReturned:
    """A known caller came back from the dialplan's own waiting loop."""

    leg: str


@dataclass(frozen=True, slots=True)
class DigitPressed:
    leg: str
    digit: str


@dataclass(frozen=True, slots=True)
class PromptFinished:
    """A prompt ended or could not be played."""

    leg: str
    playback: str


@dataclass(frozen=True, slots=True)
class LegDialled:
    """Asterisk took the call to this leg: it has gone out. Nothing becomes of that by itself; but only who was called
    can have failed to answer."""

    leg: str


@dataclass(frozen=True, slots=True)
class LegRinging:
    leg: str


@dataclass(frozen=True, slots=True)
class LegAnswered:
    leg: str


@dataclass(frozen=True, slots=True)
class LegGone:
    """The channel ended, or never was. `sip_cause` is the final SIP status where one is known.

    `refused`: Asterisk did not place the call. Not `certain`: nobody saw it end, it is only missing or unanswered
    for; should it be there all the same, it has to be hung up. `lost`: Asterisk failed with it, so nobody hung
    up and nobody is to blame.
    """

    leg: str
    sip_cause: int | None = None
    refused: bool = False
    certain: bool = True
    lost: bool = False


@dataclass(frozen=True, slots=True)
class LineDied:
    """A leg's far end has sent nothing for too long: nobody is there any more, and nobody hung up. The channel is up
    still."""

    leg: str


@dataclass(frozen=True, slots=True)
class Offered:
    """The router picked an agent."""

    agent: str
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    agent: str


@dataclass(frozen=True, slots=True)
class OfferRejected:
    agent: str


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The agent logged out or went Not Ready, or the phone was lost, while the offer stood."""

    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class PickedUp:
    """An agent took it from the Home List."""

    agent: str
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The agent pressed End Call."""

    agent: str


@dataclass(frozen=True, slots=True)
class Redialled:
    agent: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    agent: str
    disposition: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CallbackRequested:
    """A call back was asked for without a call (T29). `number` is E.164; without `at` as soon as possible.

    In this and the following, `by` is who did it, as the feed names the actor: `agent:1001`, `operator:admin`;
    `asker` whose limit it counts against, an agent or a token.
    """

    by: str
    queue: str
    number: str
    at: datetime | None = None
    time_zone: str | None = None
    callback_type: str | None = None
    name: str | None = None
    case_data: Mapping[str, Any] = field(default_factory=dict)
    instructions: str | None = None
    asker: str | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    by: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Requeued:
    """Put into the line again, or into the line of another queue (`queue` and its current version)."""

    by: str
    queue: str | None = None
    queue_version: int = 0
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Reassigned:
    """Given to one agent as an offer, or taken from whoever has it (`agent` None)."""

    by: str
    agent: str | None = None
    desk: AgentPreferences = AgentPreferences()


@dataclass(frozen=True, slots=True)
class Rescheduled:
    by: str
    at: datetime
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Closed by hand: `resolved`, or back in line for somebody else (T26)."""

    by: str
    resolved: bool
    disposition: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What is None stays; `case_data` names the keys that change, None removes one."""

    by: str
    number: str | None = None
    priority: int | None = None
    case_data: Mapping[str, Any] | None = None
    instructions: str | None = None
    asker: str | None = None


@dataclass(frozen=True, slots=True)
class NoteAdded:
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class CallStopped:
    """A supervisor ended the call, whoever has it."""

    by: str


@dataclass(frozen=True, slots=True)
class AgentReleased:
    """A supervisor freed the agent of what they were at."""

    by: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class DuplicateFound:
    """The request could not be stored: this number already has a callback pending in this queue."""

    leg: str


@dataclass(frozen=True, slots=True)
class NumberRefused:
    """What was decided could not be stored: the number may not be promised a call, or not be called now.

    `rule` is a word of `routing.core.numbers.Rule`; `until`: from when on it may be called, None when that
    is not known.
    """

    rule: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeReached:
    """At least one deadline may have passed."""


@dataclass(frozen=True, slots=True)
class ServiceRestarted:
    """Contact with Asterisk was regained; what was missed has been told before this. `bridged`: the bridge in which
    its parties meet is there."""

    bridged: bool = False


NetworkEvent = (
    CallerReturned
    | DigitPressed
    | PromptFinished
    | LegRinging
    | LegAnswered
    | LegGone
    | LineDied
    | TimeReached
    | ServiceRestarted
)
Heard = NetworkEvent | LegDialled
"""What Asterisk tells the engine."""
Force = CallStopped | AgentReleased
Operation = Cancelled | Requeued | Reassigned | Rescheduled | Settled | Edited | NoteAdded
PersonEvent = (
    Offered
    | OfferAccepted
    | OfferRejected
    | OfferWithdrawn
    | PickedUp
    | CallEnded
    | Redialled
    | WorkDone
    | Operation
    | Force
)
Event = NetworkEvent | PersonEvent | DuplicateFound | NumberRefused
