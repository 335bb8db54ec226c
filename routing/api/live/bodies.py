"""What clients ask the live stream for."""

from typing import Annotated

from pydantic import Field

from routing.api.http.fields import Sent


class Stream(Sent):
    """`after`: the cursor of the last message seen."""

    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
