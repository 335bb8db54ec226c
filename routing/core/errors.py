"""What can be refused to a person. The class says the fixed code, the docstring the message."""

from datetime import datetime
from uuid import UUID


class RingbackError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())


class Unauthenticated(RingbackError):
    """A valid token is needed."""

    code = "unauthenticated"


class Forbidden(RingbackError):
    """Your role does not allow this."""

    code = "forbidden"


class NotFound(RingbackError):
    """Not found."""

    code = "not_found"


class NotOpen(RingbackError):
    """The interaction is not open any more."""

    code = "not_open"


class NotOffered(RingbackError):
    """The interaction is not offered to you."""

    code = "not_offered"


class AgentBusy(RingbackError):
    """The agent already has an offer, a call or after-call work."""

    code = "agent_busy"


class PhoneUnreachable(RingbackError):
    """The agent's phone is not registered."""

    code = "phone_unreachable"


class DuplicateCallback(RingbackError):
    """A callback for this number is already pending in this queue."""

    code = "duplicate_callback"
    existing: UUID | None = None
    """The interaction that is pending."""


class DispositionRequired(RingbackError):
    """This queue requires a disposition code before the work is done."""

    code = "disposition_required"


class WrongStage(RingbackError):
    """The interaction is not in a state that allows this."""

    code = "wrong_stage"


class Invalid(RingbackError):
    """The input is not valid."""

    code = "invalid"

    def __init__(self, detail: str | None = None, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class InvalidNumber(RingbackError):
    """This is not a phone number that can be called."""

    code = "invalid_number"


class NumberBlocked(RingbackError):
    """This phone number cannot be called."""

    code = "number_blocked"

    def __init__(self, rule: str, detail: str | None = None, until: datetime | None = None) -> None:
        """`rule` is a word of `routing.core.numbers.Rule`; `until`: from when it may be called, where
        that is known."""
        super().__init__(detail)
        self.rule = rule
        self.until = until


class RateLimited(RingbackError):
    """Too many requests; try again later."""

    code = "rate_limited"

    def __init__(self, retry_after: float, detail: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after = max(1, round(retry_after))


class IdempotencyConflict(RingbackError):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_conflict"


class Unavailable(RingbackError):
    """A part of the service is not reachable; try again shortly."""

    code = "unavailable"


class Uncertain(Unavailable):
    """Timed out; check the interaction before you retry."""


class Conflict(Exception):
    """The row changed underneath: another writer was first. Not for people; the engine reads again."""


class Fenced(Exception):
    """Another process owns this shard now: this one must stop acting."""
