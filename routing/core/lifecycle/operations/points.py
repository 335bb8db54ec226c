"""The points at which something can be done."""

from routing.core.errors import WrongStage
from routing.core.interaction import Role, Stage, Status, Subtype
from routing.core.lifecycle.change import Change
from routing.core.lifecycle.denied import where

WAITS = (Status.OPEN, Status.OFFERED, Status.SCHEDULED)


def refuse(c: Change) -> None:
    raise WrongStage(f"The interaction is {where(c)}.")


def waits(c: Change) -> bool:
    """A callback that is not being worked on."""
    return c.it.subtype is Subtype.CALLBACK and c.it.status in WAITS


def between_calls(c: Change) -> bool:
    return c.it.stage is Stage.READY_TO_CALL


def live_caller_waits(c: Change) -> bool:
    return c.it.subtype is Subtype.INBOUND and c.it.status in WAITS and c.leg(Role.CALLER) is not None
