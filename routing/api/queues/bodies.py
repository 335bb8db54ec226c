"""What clients send about queues. The queue itself is `routing.core.queues.Queue`."""

from typing import Annotated

from pydantic import Field

from routing.api.http.fields import Sent


class Switches(Sent):
    """What is not there stays as it is."""

    takes: Annotated[bool | None, Field(alias="register")] = None  # pydantic has a `register` of its own
    process: bool | None = None
