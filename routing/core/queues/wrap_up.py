"""The work after a call, and with which codes it ends."""

from typing import Annotated

from pydantic import Field

from ivr.workflow import Part

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Disposition(Part):
    """One code an agent may close with."""

    code: Slug
    title: str = ""


class WrapUp(Part):
    """After-call work. Without `done` the timer closes the interaction."""

    seconds: Annotated[float, Field(ge=0, le=900)] = 30
    required: bool = False
    dispositions: Annotated[tuple[Disposition, ...], Field(max_length=100)] = ()

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(each.code for each in self.dispositions)
