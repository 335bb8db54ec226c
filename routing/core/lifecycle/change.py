"""One decision in the making: the interaction as it becomes, what to do, what to write into the feed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Unpack

from routing.core.agents import Work
from routing.core.audio import audio
from routing.core.context import Context
from routing.core.effects import Effect, HangUp, StopPrompt
from routing.core.feed import SYSTEM, FeedEvent, FeedLine
from routing.core.interaction import (
    Attempt,
    Deadline,
    Fields,
    Hears,
    Interaction,
    Leg,
    LegState,
    Outcome,
    Prompt,
    Role,
    Sound,
    Status,
)
from routing.core.requirements import Requirement, required

LONGEST_PROMPT = 60.0
"""Seconds after which a prompt that never reported its end is taken as ended (trap 9 in `dialplan.ari`)."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The agent has it from now on."""

    agent: str
    work: Work


@dataclass(frozen=True, slots=True)
class Continued:
    """The agent who has it goes on to this."""

    agent: str
    work: Work


@dataclass(frozen=True, slots=True)
class Released:
    """The agent does not have it any more, and was at this with it. `why` is the feed's word for what ended it."""

    agent: str
    work: Work
    why: FeedEvent


@dataclass(frozen=True, slots=True)
class NotReady:
    """The agent who is released is not ready any more."""

    agent: str
    reason: str


AgentChange = Assigned | Continued | Released | NotReady

_WORK = {Status.OFFERED: Work.OFFERED, Status.CONNECTED: Work.BUSY, Status.WRAP_UP: Work.WRAP_UP}


@dataclass(frozen=True, slots=True)
class Decision:
    """What `decide` returns. `requires`: without which it may not be stored. `agents`: what it means for them, stored
    with it. Without feed lines and change there is nothing to store."""

    interaction: Interaction
    effects: tuple[Effect, ...] = ()
    feed: tuple[FeedLine, ...] = ()
    requires: tuple[Requirement, ...] = ()
    agents: tuple[AgentChange, ...] = ()
    ignored: bool = False


class Change:
    """Collects a decision. `it` is the interaction so far."""

    def __init__(self, it: Interaction, context: Context, actor: str = SYSTEM) -> None:
        self.it = it
        self._before = it
        self.queue = context.queue
        self.now = context.now
        self.situation = context.situation
        self.actor = actor
        self._effects: list[Effect] = []
        self._heard: dict[str, Hears] = {leg.id: leg.hears for leg in it.legs}
        self._feed: list[FeedLine] = []
        self._not_ready: tuple[NotReady, ...] = ()
        self._ignored = False

    def decision(self) -> Decision:
        self.stamp()
        self.ask_for_audio()
        self.set(lines=self.it.lines + len(self._feed))
        return Decision(
            self.it,
            tuple(self._effects),
            tuple(self._feed),
            requires=required(self._before, self.it, self._effects),
            agents=(*self._agents(), *self._not_ready),
            ignored=self._ignored,
        )

    def ignore(self) -> None:
        """Late news from the network: passed over on purpose, and counted by the engine."""
        self._ignored = True

    def set(self, **fields: Unpack[Fields]) -> None:
        self.it = self.it.changed(**fields)

    def tell(self, event: FeedEvent, actor: str | None = None, **data: Any) -> None:
        self._feed.append(FeedLine(event, actor or self.actor, data))

    def stamp(self) -> None:
        """The lines so far led to the status there is now; what follows in the same decision may lead further."""
        self._feed = [line if line.status else replace(line, status=self.it.status) for line in self._feed]

    def do(self, *effects: Effect) -> None:
        self._effects.extend(effects)

    def make_not_ready(self, agent: str, reason: str) -> None:
        self._not_ready = (NotReady(agent, reason),)

    # Deadlines

    def due_in(self, kind: Deadline, seconds: float) -> None:
        self._deadlines({**self.it.deadlines, kind: self.now + timedelta(seconds=seconds)})

    def put_off(self, kind: Deadline, by: timedelta) -> None:
        """Later than it was, if it is set."""
        if at := self.it.deadlines.get(kind):
            self._deadlines({**self.it.deadlines, kind: at + by})

    def clear(self, *kinds: Deadline) -> None:
        self._deadlines({kind: at for kind, at in self.it.deadlines.items() if kind not in kinds})

    def clear_all(self) -> None:
        """Forget every deadline but the callback's own expiry."""
        self._deadlines({kind: at for kind, at in self.it.deadlines.items() if kind is Deadline.EXPIRY})

    def _deadlines(self, deadlines: dict[Deadline, datetime]) -> None:
        self.set(deadlines=deadlines)

    # Legs

    def leg(self, role: Role) -> Leg | None:
        return self.it.leg(role)

    def is_caller(self, leg_id: str) -> bool:
        leg = self.leg(Role.CALLER)
        return leg is not None and leg.id == leg_id

    def new_leg(self, role: Role, party: str) -> Leg:
        n = self.it.legs_asked + 1
        leg = Leg(self.it.new_id(role, n), role, party)
        self.set(legs_asked=n, legs=(*self.it.legs, leg))
        return leg

    def mark(self, leg: Leg, state: LegState) -> None:
        self._replace_leg(leg.id, lambda each: replace(each, state=state))

    def _replace_leg(self, leg_id: str, changed: Callable[[Leg], Leg]) -> None:
        self.set(legs=tuple(changed(each) if each.id == leg_id else each for each in self.it.legs))

    def forget(self, leg: Leg) -> None:
        """The leg is gone, and what it heard."""
        self.hear(leg, Sound.NOTHING)
        self.set(legs=tuple(each for each in self.it.legs if each.id != leg.id))

    def gone(self, leg: Leg, *, certain: bool) -> None:
        """The leg ended; where nobody saw it end it is hung up to make sure."""
        self.forget(leg)
        if not certain:
            self.do(HangUp(leg.id))

    def drop(self, role: Role) -> None:
        """Hang up the leg of that role, if there is one. What it still reports is late news."""
        if leg := self.leg(role):
            self.forget(leg)
            self.do(HangUp(leg.id))

    # What a leg hears

    def hear(self, leg: Leg, hears: Hears) -> None:
        """From now on; a prompt it heard is cut short."""
        known = self.it.leg_with(leg.id)
        if known and isinstance(known.hears, Prompt):
            self.clear(Deadline.PLAYBACK)
        self._replace_leg(leg.id, lambda each: replace(each, hears=hears))

    def music(self, leg: Leg) -> None:
        self.hear(leg, Sound.MUSIC)

    def music_again(self, leg: Leg) -> None:
        """Asked for also where it should play: while Postgres was away something may have been said instead
        (`routing.engine.degraded`), nor is it known whether Asterisk did what it was asked."""
        if self._heard.get(leg.id) is Sound.MUSIC:
            del self._heard[leg.id]
        self.music(leg)

    def say(self, leg: Leg, *words: str) -> None:
        """Play prompts; nobody else may be hearing one."""
        said = self.it.waiting.said + 1
        self.set(waiting=replace(self.it.waiting, said=said, words=words))
        self.hear(leg, Prompt(self.it.new_id("say", said), words))
        self.due_in(Deadline.PLAYBACK, LONGEST_PROMPT)

    def said(self) -> None:
        """The prompt has ended by itself."""
        for leg in self.it.legs:
            if isinstance(leg.hears, Prompt):
                self._heard[leg.id] = Sound.NOTHING
                self.hear(leg, Sound.NOTHING)

    def audio_unknown(self) -> None:
        """Nobody knows what the legs hear by now: all is asked for again. Prompts are stopped first, as Asterisk does
        no more with a channel until its prompt has ended (measured)."""
        for leg in self.it.legs:
            if isinstance(leg.hears, Prompt):
                self.do(StopPrompt(leg.id, leg.hears.id))
        self._heard = {}

    def ask_for_audio(self) -> None:
        """For what the legs are to hear by now: at the end of a decision, or before calls, which take longer."""
        self.do(*audio(self.it, self._heard, self.queue.language))
        self._heard = {leg.id: leg.hears for leg in self.it.legs}

    # The attempt under way

    def end_attempt(self, outcome: Outcome, sip_cause: int | None = None) -> None:
        """End the attempt under way, if there is one."""
        if attempt := self.it.attempt:
            self._replace_attempt(replace(attempt, ended_at=self.now, outcome=outcome, sip_cause=sip_cause))
            self.tell(FeedEvent.ATTEMPT_ENDED, SYSTEM, attempt=attempt.n, outcome=outcome, sip_cause=sip_cause)

    def attempt_answered(self) -> None:
        if attempt := self.it.attempt:
            self._replace_attempt(replace(attempt, answered_at=self.now))

    def _replace_attempt(self, changed: Attempt) -> None:
        self.set(attempts=tuple(changed if each.id == changed.id else each for each in self.it.attempts))

    # The agent

    def _agents(self) -> Iterator[Assigned | Continued | Released]:
        was, now = _owner(self._before), _owner(self.it)
        if was and (now is None or now.agent != was.agent):
            yield Released(was.agent, was.work, self._why())
        if now and (was is None or now.agent != was.agent):
            yield now
        elif now and now != was:
            yield Continued(now.agent, now.work)

    def _why(self) -> FeedEvent:
        """What was told first, but for what is written down on the way."""
        return next(line.event for line in self._feed if line.event is not FeedEvent.DISPOSITION)


def _owner(it: Interaction) -> Assigned | None:
    work = _WORK.get(it.status)
    return Assigned(it.assigned_to, work) if work and it.assigned_to else None
