"""What Asterisk tells. Each event names a leg (channel id); the interaction knows whose it is."""

from dataclasses import dataclass
from enum import StrEnum


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
