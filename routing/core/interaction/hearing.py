"""What a leg hears (`Leg.hears`). Counterpart: `routing.core.audio`, what has to be asked so that it does."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Prompt:
    """Words of `ivr.prompts`, said once. `id` is the playback's."""

    id: str
    words: tuple[str, ...]


class Sound(StrEnum):
    """What goes on until something else is heard."""

    NOTHING = "nothing"
    MUSIC = "music"
    RINGBACK = "ringback"


@dataclass(frozen=True, slots=True)
class Room:
    """The others who are in it."""

    name: str


Hears = Prompt | Sound | Room
MAIN = Room("main")
"""Where the customer talks with the agent."""
