"""The offer to be called back."""

from typing import Annotated, Literal

from pydantic import Field

from ivr.workflow import Part, Seconds


class Callback(Part):
    """The offer to be called back. `place`: keep the place in line, join the end, or a priority offset.

    `max_pending`: how many callbacks wait at most; a fifth of it is kept for callers, and not given to what is asked
    for over the API. `enabled` false: none are taken, and a menu that offers one is left out.
    """

    enabled: bool = True
    alternate_number: bool = False
    place: Literal["keep", "end"] | Annotated[int, Field(ge=-100, le=100)] = "keep"
    initial_delay: Seconds = 5
    max_pending: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    on_hangup: Literal["keep", "abandon"] = "keep"

    @property
    def most_over_api(self) -> int:
        return self.max_pending - self.max_pending // 5
