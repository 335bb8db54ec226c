"""What nobody can do just now: people are told why, the network's late news is passed over."""

from routing.core.errors import Forbidden, NotOffered, NotOpen, WrongStage
from routing.core.events import CallEnded, Event, OfferAccepted, OfferRejected, PickedUp, Redialled, WorkDone
from routing.core.interaction import Status
from routing.core.lifecycle.change import Change


def deny(c: Change, event: Event) -> None:
    """Raise the error a person is owed; for anything else, ignore the event."""
    match event:
        case PickedUp():
            raise NotOpen
        case OfferAccepted() | OfferRejected():
            raise NotOffered
        case CallEnded(agent) | Redialled(agent) | WorkDone(agent):
            if agent != c.it.assigned_to:
                raise Forbidden("The interaction is not yours.")
            raise WrongStage(f"The interaction is {where(c)}.")
        case _:
            c.ignore()


def where(c: Change) -> str:
    """Where in its life it is, in one word."""
    if c.it.status is Status.CONNECTED and c.it.stage:
        return c.it.stage
    return c.it.status
