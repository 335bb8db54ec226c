"""What the engine wants of Asterisk. Implemented by `dialplan.phones`, which alone knows how to say it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from routing.core.effects import DialCustomer, Effect
from routing.core.events import CallerArrived, LegDialled, LegGone, NetworkEvent, PromptFinished

KnownAtOnce = LegDialled | LegGone | PromptFinished
MayCall = Callable[[str], bool]
"""Whether the call to this leg may still go out."""


class Phones(Protocol):
    """Every call returns when Asterisk took the request; what comes of it later arrives as an event."""

    async def perform(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        """Carry out one effect. Returns the event that is known by then: a call that went out, or one of a refusal,
        which is never an exception. `may_call` is asked just before a call goes out, as setting it up takes a while.
        """

    def reserve(self, call: DialCustomer) -> None:
        """Begin to set up the customer's leg, while the decision is still being stored. `perform` of the call then
        places it, of HangUp clears it away."""

    def expects(self, leg: str) -> bool:
        """Whether this leg is just being set up."""

    async def provisioned(self) -> set[str]:
        """Whose SIP accounts are live; names of other lines may be among them. Raises Unavailable."""

    async def provision(self, agent: str, ha1: str) -> None:
        """Make the agent's SIP account live. Raises Unavailable."""

    async def withdraw_account(self, agent: str) -> None:
        """Remove the agent's SIP account. Raises Unavailable."""


class ChannelState(StrEnum):
    DOWN = "down"
    RINGING = "ringing"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Alive:
    """What Asterisk holds at one moment: all channels, those we made, our application's callers, the bridges.

    `started` tells one life of Asterisk from the next, which holds nothing of what was before. `told` has, by
    leg, what was heard since contact is there and is not handled yet: a key before a hang-up, the reason of an end.
    """

    channels: dict[str, ChannelState]
    ours: tuple[str, ...] = ()
    callers: tuple[CallerArrived, ...] = ()
    bridges: tuple[str, ...] = ()
    started: str | None = None
    told: Mapping[str, tuple[NetworkEvent, ...]] = field(default_factory=dict)
