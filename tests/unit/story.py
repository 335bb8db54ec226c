"""Lives of an interaction as conversations: what happened, and everything that was done about it.

    story = in_menu()
    story.press("1")
    story.does('''
        > DigitPressed caller 1
          StopPrompt caller
          StartMusic caller
        = open
    ''')

`>` is an event, what is indented below it are all of its effects in their order, `=` is the status and stage it
led to where that changed; what is refused leaves no trace. A story is told to its end: one that went on after its
last `does` fails its test (conftest.py).
"""

import difflib
from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from textwrap import dedent

from routing.core.context import Context, Situation
from routing.core.effects import Effect
from routing.core.events import (
    DigitPressed,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    Offered,
    PromptFinished,
    TimeReached,
)
from routing.core.interaction import Interaction, Leg, Role, Stage, Status, Subtype
from routing.core.lifecycle import Decision, NotReady, decide
from routing.core.queues import Queue
from tests.lifecycle.explore import QUEUE, START, arrival

CALLER = "caller-1"
SOON = 0.1
TOLD_APART = ("interaction", "bridge", "playback", "language")
"""Fields that are the same throughout a story, or only its counters."""

STORIES: "list[Story]" = []
"""Those of the test that runs."""


def not_ready(decision: Decision) -> NotReady | None:
    """Who is not ready any more by it."""
    return next((each for each in decision.agents if isinstance(each, NotReady)), None)


class Story:
    """An interaction and the clock; `then` lets something happen some seconds later."""

    def __init__(self, queue: Queue = QUEUE, number: str = "+4915112345678") -> None:
        self._begin(queue, arrival(queue, number), f"CallerArrived {number}")

    def _begin(self, queue: Queue, first: Decision, event: str) -> None:
        self.queue = queue
        self.now = START
        self.situation = Situation(position=1)
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._tell(event, (None, None), first)
        STORIES.append(self)

    @property
    def it(self) -> Interaction:
        return self.last.interaction

    def leg(self, role: Role) -> Leg:
        found = self.it.leg(role)
        assert found, f"no {role} leg"
        return found

    def then(self, event: Event, after: float = SOON) -> Decision:
        self.now += timedelta(seconds=after)
        before = (self.it.status, self.it.stage)
        told = f"{self._words(event)}{'' if after == SOON else f' after {after:.10g} s'}"
        decision = decide(self.it, Context(self.queue, self.now, self.situation), event)
        self._tell(told, before, decision)
        return decision

    def wait(self) -> Decision:
        """Until time alone has something to tell."""
        assert self.it.wake_at
        return self.then(TimeReached(), max(0.0, (self.it.wake_at - self.now).total_seconds()))

    def press(self, digit: str) -> Decision:
        return self.then(DigitPressed(CALLER, digit))

    def said(self) -> Decision:
        """What plays has ended."""
        assert self.it.playing
        return self.then(PromptFinished(CALLER, self.it.playing))

    def is_now(self, status: Status, stage: Stage | None = None) -> None:
        assert (self.it.status, self.it.stage) == (status, stage)

    def done(self, kind: type) -> list[object]:
        """The last decision's effects of one kind."""
        return [each for each in self.last.effects if isinstance(each, kind)]

    def does(self, conversation: str) -> None:
        """All that happened and was done since the last time, to the letter."""
        expected, actual = dedent(conversation).strip("\n").rstrip().split("\n"), self.so_far()
        assert expected == actual, "\n" + "\n".join(difflib.ndiff(expected, actual))

    def so_far(self) -> list[str]:
        """The conversation since the last time. The next one begins here."""
        lines, self._lines = self._lines, []
        return lines

    def _tell(self, event: str, before: tuple[Status | None, Stage | None], decision: Decision) -> None:
        self.last = decision
        for leg in decision.interaction.legs:
            self._name(leg)
        self._lines.append(f"> {event}")
        self._lines += [f"  {self._words(effect)}" for effect in decision.effects]
        if decision.ignored:
            self._lines.append("  (ignored)")
        if rests := not_ready(decision):
            self._lines.append(f"  (not ready: {rests.agent}, {rests.reason})")
        now = (decision.interaction.status, decision.interaction.stage)
        if now != before:
            self._lines.append("= " + " ".join(each for each in now if each))

    def _name(self, leg: Leg) -> None:
        """By its role; the second one of that role is agent-2."""
        if leg.id not in self._names:
            n = 1 + sum(name.split("-")[0] == leg.role for name in self._names.values())
            self._names[leg.id] = leg.role if n == 1 else f"{leg.role}-{n}"

    def _words(self, said: Event | Effect) -> str:
        """The name of it and what it says, without what is not set."""
        told = ((each.name, getattr(said, each.name), each.default) for each in fields(said))
        words = [
            self._word(name, value)
            for name, value, default in told
            if name not in TOLD_APART and value not in (default, "")
        ]
        return " ".join([type(said).__name__, *words])

    def _word(self, name: str, value: object) -> str:
        match value:
            case bool():
                return name if value else f"not-{name}"
            case StrEnum():
                return value.value
            case str():
                return self._names.get(value, value)
            case tuple():
                return " ".join(self._names.get(str(each), str(each)) for each in value)
            case datetime():
                return f"{name}={value:%d.%m.,%H:%M:%S}"
            case float():
                return f"{name}={value:g}"
            case _:
                return f"{name}={value}"


def waiting(queue: Queue = QUEUE) -> Story:
    """A caller who has just come in and hears music."""
    story = Story(queue)
    story.does(
        """
        > CallerArrived +4915112345678
          Answer caller
          StartMusic caller
        = open
        """
    )
    return story


def in_menu(number: str = "+4915112345678", **settings: object) -> Story:
    """A caller who is being asked."""
    story = Story(QUEUE.model_copy(update=settings), number)
    story.wait()
    story.said()
    story.wait()
    story.is_now(Status.BOT, Stage.MENU)
    story.so_far()
    return story


def converted(**settings: object) -> Story:
    """A callback that may be offered."""
    story = in_menu(**settings)
    story.press("2")
    story.then(LegGone(CALLER))
    story.then(TimeReached(), 6)
    story.is_now(Status.OPEN)
    story.so_far()
    return story


def offered(story: Story, agent: str = "1001") -> Story:
    """The same story, and an agent's phone rings."""
    story.then(Offered(agent))
    story.then(LegRinging(story.leg(Role.AGENT).id))
    story.is_now(Status.OFFERED)
    story.so_far()
    return story


def talking(story: Story) -> Story:
    """The same story, and they talk."""
    offered(story)
    story.then(LegAnswered(story.leg(Role.AGENT).id))
    if story.it.subtype is Subtype.CALLBACK:
        story.then(LegAnswered(story.leg(Role.CUSTOMER).id))
    story.is_now(Status.CONNECTED, Stage.TALKING)
    story.so_far()
    return story
