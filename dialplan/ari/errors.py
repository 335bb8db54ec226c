"""What can go wrong with ARI, understood once; raised by `client` and `connection`."""


class AriError(Exception):
    """ARI refused a request."""

    def __init__(self, status: int, message: str, request: str) -> None:
        super().__init__(f"{request}: {status} {message}")
        self.status = status
        self.message = message
        self.request = request


class AriNotFound(AriError):
    """There is no such channel, bridge, playback, ...: it is gone already, or never was."""


class AriConflict(AriError):
    """409: the id is taken, or the channel is in no state for this."""


class AriUnavailable(AriError):
    """Asterisk did not answer. Status is 0; `sent` tells whether it may have got the request."""

    def __init__(self, message: str, request: str, *, sent: bool) -> None:
        super().__init__(0, message, request)
        self.sent = sent


class AppReplaced(Exception):
    """Somebody else registered our application: unless it was not theirs to take, this process owns it no longer."""


def refusal(status: int, message: str, request: str) -> AriError:
    """The error for an answer of 400 and up."""
    kind = {404: AriNotFound, 409: AriConflict}.get(status, AriError)
    return kind(status, message, request)
