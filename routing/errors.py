"""What can be refused to a person. The class says the fixed code, the docstring the message."""


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
    """There is nothing of that name."""

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


class DispositionRequired(RingbackError):
    """This queue wants a disposition code before the work is done."""

    code = "disposition_required"


class WrongStage(RingbackError):
    """The interaction is not at a point where this can be done."""

    code = "wrong_stage"


class Invalid(RingbackError):
    """The input is not valid."""

    code = "invalid"

    def __init__(self, detail: str | None = None, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer


class Unavailable(RingbackError):
    """A part the service needs does not answer; try again shortly."""

    code = "unavailable"


class Conflict(Exception):
    """The row changed underneath: another writer was first. Not for people; the engine reads again."""


class Fenced(Exception):
    """Another process owns this shard now: this one must stop acting."""
