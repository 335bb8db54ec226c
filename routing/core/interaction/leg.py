"""The channels of an interaction."""

from dataclasses import dataclass
from enum import StrEnum

from routing.core.interaction.hearing import Hears, Sound


class Role(StrEnum):
    """Whose leg it is."""

    CALLER = "caller"
    AGENT = "agent"
    CUSTOMER = "customer"


class LegState(StrEnum):
    """A live leg's state; a leg that ended, or was told to, leaves the interaction."""

    REQUESTED = "asked"
    RINGING = "ringing"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel we care about. `id` is the channel id, `party` a number or an agent id."""

    id: str
    role: Role
    party: str
    state: LegState = LegState.REQUESTED
    hears: Hears = Sound.NOTHING
