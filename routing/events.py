"""What has happened: the past tense of Ringback. Counterpart: `routing.effects`, what is to be done about it.

Network events name a leg (channel id); the interaction knows whose it is. People's events name the agent.
"""

from dataclasses import dataclass

from routing.interaction import Desk


@dataclass(frozen=True, slots=True)
class CallerArrived:
    """A call reached our application. `number` is as presented, None when withheld."""

    leg: str
    dialled: str
    number: str | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class CallerReturned:
    """A known caller came back from the dialplan's own waiting loop."""

    leg: str


@dataclass(frozen=True, slots=True)
class DigitPressed:
    leg: str
    digit: str


@dataclass(frozen=True, slots=True)
class SayFinished:
    """A prompt ended or could not be played."""

    leg: str
    say: str


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
    for; should it be there all the same, it has to be hung up.
    """

    leg: str
    sip_cause: int | None = None
    refused: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Offered:
    """The router picked an agent."""

    agent: str
    desk: Desk = Desk()


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
    desk: Desk = Desk()


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
class DuplicateFound:
    """The request could not be stored: this number already has a callback pending in this queue."""

    leg: str


@dataclass(frozen=True, slots=True)
class TimeReached:
    """At least one deadline may have passed."""


@dataclass(frozen=True, slots=True)
class ServiceRestarted:
    """Contact with Asterisk was regained; what was missed has been told before this."""


NetworkEvent = (
    CallerReturned | DigitPressed | SayFinished | LegRinging | LegAnswered | LegGone | TimeReached | ServiceRestarted
)
PersonEvent = Offered | OfferAccepted | OfferRejected | OfferWithdrawn | PickedUp | CallEnded | Redialled | WorkDone
Event = NetworkEvent | PersonEvent | DuplicateFound
