"""Who has an interaction, what happens inside that, how it ended, what it waits for."""

from enum import StrEnum


class Status(StrEnum):
    """Who engages the interaction (docs/lifecycle.md)."""

    OPEN = "open"
    BOT = "bot"
    OFFERED = "offered"
    CONNECTED = "connected"
    WRAP_UP = "wrap_up"
    SCHEDULED = "scheduled"
    CLOSED = "closed"


IN_LINE = frozenset({Status.OPEN, Status.BOT, Status.OFFERED})
"""Those who have a place in line."""


class Stage(StrEnum):
    """What happens inside a status."""

    ANNOUNCING = "announcing"  # open, offered: an announcement plays
    MENU = "menu"  # bot, until APOLOGY
    NUMBER_ENTRY = "number_entry"
    CONFIRM = "confirm"
    BOOKED = "booked"
    LEAVING = "leaving"  # a last message, then the call ends
    APOLOGY = "apology"  # the customer answered, no agent did
    AGENT_RINGING = "agent_ringing"  # connected, until READY_TO_CALL
    DIALING = "dialing"
    RINGING = "ringing"
    TALKING = "talking"
    READY_TO_CALL = "ready_to_call"


class Subtype(StrEnum):
    INBOUND = "inbound"
    CALLBACK = "callback"


class Ended(StrEnum):
    """Why an interaction was closed. A newer version may have stored words of its own."""

    HANDLED = "handled"
    ABANDONED = "abandoned"
    SHORT_ABANDON = "short_abandon"
    SAID_GOODBYE = "overflow:hangup"  # a menu's key led to it
    BLOCKED = "blocked"  # by the number rules
    INVALID_NUMBER = "invalid_number"
    FAILED = "failed_max_attempts"
    EXPIRED = "expired"
    CANCELLED = "cancelled_by_operator"
    STOPPED = "ended_by_operator"
    ERROR = "error"  # lost by us


class Deadline(StrEnum):
    """What an interaction waits for; `wake_at` is the earliest of them."""

    NEXT_STEP = "step"  # the next workflow step
    PLAYBACK = "say"  # a prompt that never reports its end
    INPUT = "key"  # a key from the caller
    OFFER = "offer"  # the agent to accept
    AGENT_ALERT = "alert"  # the accepting agent's phone to ring
    AGENT_ANSWER = "answer"  # the accepting agent to lift
    CUSTOMER_ANSWER = "ring"  # the customer to answer
    READY_TO_CALL = "ready_to_call"
    WRAP_UP = "wrap_up"
    DUE = "due"  # a scheduled callback
    EXPIRY = "expires"  # a callback nobody could make
