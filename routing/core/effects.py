"""What is to be done: the imperatives of Ringback. Counterpart: `routing.core.events`.

Every effect may be asked twice: the ids are ours, and "already so" is success. A refusal comes back as an event.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the caller and mark the channel with its interaction."""

    leg: str
    interaction: str


class Refusal(StrEnum):
    """Why a call is not let in."""

    UNKNOWN_NUMBER = "unknown_number"  # nothing lives at the dialled number
    BUSY = "busy"  # there are too many already


@dataclass(frozen=True, slots=True)
class Refuse:
    """Turn a call away before it is answered."""

    leg: str
    why: Refusal


@dataclass(frozen=True, slots=True)
class SendBack:
    """Give a call to the dialplan's own waiting loop: it will be brought back when we can keep it."""

    leg: str


@dataclass(frozen=True, slots=True)
class PlayPrompt:
    """Play prompts (words of `ivr.prompts`) to a leg; `PromptFinished(playback)` tells the end."""

    leg: str
    playback: str
    words: tuple[str, ...]
    language: str = "en"


@dataclass(frozen=True, slots=True)
class StopPrompt:
    leg: str
    playback: str


@dataclass(frozen=True, slots=True)
class StartMusic:
    leg: str


@dataclass(frozen=True, slots=True)
class PlayRingback:
    """Let a leg that is up hear that the other end rings."""

    leg: str


@dataclass(frozen=True, slots=True)
class RingAgent:
    """Ring an agent's phone. `caller_id` is shown there; `timeout` seconds until Asterisk gives up by itself."""

    leg: str
    interaction: str
    agent: str
    caller_id: str
    timeout: float
    auto_answer: bool = False


@dataclass(frozen=True, slots=True)
class DialCustomer:
    """Place the call back: one INVITE per leg id, however often this is asked. `made`: the channel was seen, so it is
    dialled if it is there still, and never made anew: its call may be over already."""

    leg: str
    interaction: str
    number: str
    caller_id: str
    timeout: float
    made: bool = False


@dataclass(frozen=True, slots=True)
class AddToBridge:
    """Let the legs talk with each other, whatever they hear until then."""

    bridge: str
    legs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DestroyBridge:
    """Clear the bridge away; its legs are hung up by themselves."""

    bridge: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a leg, whatever its state. Asked of a leg that is gone, nothing happens."""

    leg: str


Effect = (
    Answer
    | Refuse
    | SendBack
    | PlayPrompt
    | StopPrompt
    | StartMusic
    | PlayRingback
    | RingAgent
    | DialCustomer
    | AddToBridge
    | DestroyBridge
    | HangUp
)
