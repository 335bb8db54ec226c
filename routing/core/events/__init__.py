"""What has happened: the past tense of Ringback. Counterpart: `routing.core.effects`, what is to be done about it."""

from routing.core.events.agents import (
    CallEnded,
    OfferAccepted,
    Offered,
    OfferRejected,
    OfferWithdrawn,
    PickedUp,
    Redialled,
    WorkDone,
)
from routing.core.events.network import (
    CallerArrived,
    CallerReturned,
    DigitPressed,
    LegAnswered,
    LegDialled,
    LegGone,
    LegRinging,
    LineDied,
    NumberFormat,
    PromptFinished,
)
from routing.core.events.operations import (
    AgentReleased,
    CallbackRequested,
    CallStopped,
    Cancelled,
    Edited,
    NoteAdded,
    Reassigned,
    Requeued,
    Rescheduled,
    Settled,
)
from routing.core.events.system import DuplicateFound, NumberRefused, ServiceRestarted, TimeReached

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
"""What Asterisk tells the engine, and what the service finds out about it."""
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

__all__ = [
    "AgentReleased",
    "CallEnded",
    "CallStopped",
    "CallbackRequested",
    "CallerArrived",
    "CallerReturned",
    "Cancelled",
    "DigitPressed",
    "DuplicateFound",
    "Edited",
    "Event",
    "Force",
    "Heard",
    "LegAnswered",
    "LegDialled",
    "LegGone",
    "LegRinging",
    "LineDied",
    "NetworkEvent",
    "NoteAdded",
    "NumberFormat",
    "NumberRefused",
    "OfferAccepted",
    "OfferRejected",
    "OfferWithdrawn",
    "Offered",
    "Operation",
    "PersonEvent",
    "PickedUp",
    "PromptFinished",
    "Reassigned",
    "Redialled",
    "Requeued",
    "Rescheduled",
    "ServiceRestarted",
    "Settled",
    "TimeReached",
    "WorkDone",
]
