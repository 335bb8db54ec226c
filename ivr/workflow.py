"""The timed workflow of a queue: steps a waiting caller meets, one after another, some of which ask a question.

Counterpart: `routing.core.lifecycle.workflow` runs it. A step falls due
`after` seconds of waiting; the next step's timer starts when this one ends; `loop` starts over.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(ge=0, le=7 * 86400, allow_inf_nan=False)]
Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]
PromptKey = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


SHORTEST_ROUND = 0.1
"""Seconds: a loop without any waiting would spin if its prompts cannot be played."""


class Part(BaseModel):
    """A frozen piece of configuration in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plain(StrEnum):
    """Key actions without settings of their own."""

    WAIT = "wait"
    CALLBACK = "callback"


class Farewell(Part):
    """What the caller hears before the system hangs up."""

    say: PromptKey = "goodbye"


class HangUpAction(Part):
    """The "other" action: a message, then the call ends with outcome `overflow:hangup`."""

    hangup: Farewell


Action = Plain | HangUpAction


class Step(Part):
    """One step: either an announcement (list of what to say) or a menu (prompt and what each key does)."""

    after: Seconds = 60
    announce: Annotated[tuple[PromptKey, ...], Field(min_length=1, max_length=20)] | None = None
    menu: PromptKey | None = None
    keys: Mapping[Key, Action] = Field(default_factory=dict)
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    timeout: Annotated[float, Field(gt=0, le=60)] = 5

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.announce is None) == (self.menu is None):
            raise ValueError("a step has either announce or menu")
        if (self.menu is None) == bool(self.keys):
            raise ValueError("keys belong to a menu, and a menu needs them")
        return self


class Workflow(Part):
    """The steps in their order. Without steps a caller hears music until an agent is free."""

    loop: bool = True
    steps: Annotated[tuple[Step, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _loops_take_time(self) -> Self:
        if self.loop and self.steps and sum(step.after for step in self.steps) < SHORTEST_ROUND:
            raise ValueError(f"a looping workflow needs at least {SHORTEST_ROUND} s of waiting per round")
        return self

    def index_after(self, index: int) -> int | None:
        """The step that follows step `index`; None when the workflow is over."""
        if index + 1 < len(self.steps):
            return index + 1
        return 0 if self.loop and self.steps else None
