"""While Postgres does not answer: what is done for those on the line without a commit, because it promises nothing.

The one exception to write, commit, act (decision 100). Counterpart: `deciding`, which keeps trying to store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import structlog

from routing.core.context import Context
from routing.core.effects import AddToBridge, Effect, HangUp, PlayPrompt, StartMusic, StopPrompt
from routing.core.events import (
    CallbackRequested,
    CallerArrived,
    DigitPressed,
    Event,
    LegAnswered,
    LegGone,
    PromptFinished,
)
from routing.core.interaction import IN_LINE, Interaction, Role, Stage, Status
from routing.core.lifecycle import Decision, decide
from routing.core.lifecycle.jumped import rebased
from routing.engine.clock import Clock
from routing.engine.mailbox import Envelope, Held, Mailbox, Row

log = structlog.get_logger()

SOON = 0.5
"""Seconds a commit may take before those on the line are seen to without it."""

_GOES_ON = (StopPrompt, StartMusic, HangUp)
"""Music where a prompt ended, the end of a call whose other side has gone or that was said good-bye to."""


class Watch:
    """Of one decision. `hold_up` is called once it is late and the row of which it is decided is known."""

    def __init__(self, hold_up: Callable[[Row], None]) -> None:
        self._hold_up = hold_up
        self._row: Row | None = None
        self._late = False
        self.start()

    def start(self) -> None:
        """From now on it takes time; what was waited for on purpose does not count."""
        self._timer = asyncio.get_running_loop().call_later(SOON, self._is_late)

    def stop(self) -> None:
        self._timer.cancel()

    def decides_of(self, row: Row) -> None:
        self._row = row
        self._check()

    def _is_late(self) -> None:
        self._late = True
        self._check()

    def _check(self) -> None:
        if self._late and self._row:
            self._hold_up(self._row)


class DegradedMode:
    """`act` carries out an effect, `spawn` lets that happen beside, `new_id` names what is said."""

    def __init__(
        self,
        clock: Clock,
        act: Callable[[Effect], Awaitable[None]],
        spawn: Callable[[Awaitable[None]], None],
        new_id: Callable[[], UUID],
    ) -> None:
        self._clock = clock
        self._act = act
        self._spawn = spawn
        self._new_id = new_id

    @contextmanager
    def near(self, box: Mailbox, envelope: Envelope, event: Event) -> Iterator["Watch"]:
        """Around deciding, however often it has to be tried: when it takes long, they are seen to. A row that has to
        be read again is, until it can be, as it was when it was last looked at."""
        watch = Watch(lambda row: self._hold_up(box, envelope, event, row))
        if box.interaction is None and box.row:
            watch.decides_of(box.row)
        try:
            yield watch
        finally:
            watch.stop()

    def _hold_up(self, box: Mailbox, envelope: Envelope, event: Event, row: Row) -> None:
        box.held = Held(row, row.interaction.stage is Stage.TALKING)
        if not box.stalled:  # else a person has asked since, and Postgres may be back
            box.stall()
        self._see_to(box, envelope, event)
        for each in box.waiting:
            self.behind(box, each)

    def behind(self, box: Mailbox, envelope: Envelope) -> None:
        """Something happened to an interaction whose last decision is still held up: what would become of it?"""
        if box.held:
            self._see_to(box, envelope, envelope.event)

    def _see_to(self, box: Mailbox, envelope: Envelope, event: Event | CallerArrived | CallbackRequested) -> None:
        """What a person asks for changes nothing for those on the line before it is stored: it may be refused yet."""
        if box.held is None or envelope.answer or isinstance(event, CallerArrived | CallbackRequested):
            return
        held, now = box.held, self._clock.now()
        ahead = rebased(held.row.interaction, held.row.queue, self._clock.shift, now)
        try:
            wanted = decide(ahead, Context(held.row.queue, now), event)
        except Exception as error:
            log.warning("nobody seen to", cause=type(event).__name__, error=type(error).__name__)
            return
        if not envelope.comforted:
            envelope.comforted = True
            self._comfort(envelope, harmless(ahead, wanted, event, self._new_id, met=held.met))
        box.held = Held(replace(held.row, interaction=wanted.interaction), held.met or envelope.joined)

    def _comfort(self, envelope: Envelope, effects: tuple[Effect, ...]) -> None:
        if effects:
            envelope.joined = any(isinstance(each, AddToBridge) for each in effects)
            self._spawn(self._perform(effects))

    async def _perform(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            await self._act(effect)


def harmless(
    before: Interaction, wanted: Decision, event: Event, new_id: Callable[[], UUID], *, met: bool = True
) -> tuple[Effect, ...]:
    """What of a decision may be done before it is stored, or in its place. Nobody is called, nothing is promised. A
    caller whom nobody was joined with (not `met`) is not let go for the end of an agent's phone."""
    say = next((each for each in wanted.effects if isinstance(each, PlayPrompt)), None)
    match event:
        case DigitPressed(leg) if say:
            playing = before.playing
            stop = (StopPrompt(leg, playing),) if playing else ()
            return (*stop, PlayPrompt(leg, new_id().hex, ("one-moment",), say.language))
        case PromptFinished(leg) if (say or wanted.ignored) and _waits(before, leg):
            return (StartMusic(leg),)
        case LegAnswered() if before.status is Status.CONNECTED:  # the attempt is stored; each is there already
            return tuple(each for each in wanted.effects if isinstance(each, AddToBridge | StartMusic))
        case LegGone() if before.stage is Stage.TALKING and not met:
            return ()
        case DigitPressed() | PromptFinished() | LegGone(certain=True):
            return tuple(each for each in wanted.effects if isinstance(each, _GOES_ON))
        case _:
            return ()


def _waits(it: Interaction, leg_id: str) -> bool:
    caller = it.leg(Role.CALLER)
    return caller is not None and caller.id == leg_id and it.status in IN_LINE
