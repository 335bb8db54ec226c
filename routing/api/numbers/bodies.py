"""What clients send about numbers."""

from typing import Annotated

from pydantic import Field

from routing.api.http.fields import NO_NUL, Sent, Title
from routing.core.queues import Slug


class NumberCheck(Sent):
    """Any text at all may be asked about."""

    queue: Slug
    number: Annotated[str, Field(max_length=100, pattern=NO_NUL, examples=["+4915112345678"])]


class DoNotCall(Sent):
    reason: Title | None = None
