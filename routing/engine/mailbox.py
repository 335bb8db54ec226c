"""A mailbox: the envelopes of one interaction, handled strictly one after another, effects included."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import structlog

from routing.core.errors import Unavailable, Uncertain
from routing.core.events import CallbackRequested, CallerArrived, Event, LegGone, TimeReached
from routing.core.interaction import Interaction
from routing.core.lifecycle import Decision
from routing.core.queues import Queue

log = structlog.get_logger()


KNOWN_WITHIN = 0.3
"""Seconds a person waits for what became of a request whose commit was not confirmed."""


class Unsure(NamedTuple):
    """A decision, the row it was made of, when (in monotonic seconds), and the envelope it answers: stored or not,
    Postgres did not say."""

    before: Interaction
    decision: Decision
    at: float
    envelope: "Envelope"


@dataclass(frozen=True, slots=True)
class Row:
    """An interaction and the settings it goes by."""

    queue: Queue
    interaction: Interaction


@dataclass(frozen=True, slots=True)
class Held:
    """Postgres does not answer: what the row will be once all the news that is held up is stored. `met`: its parties
    have really been joined, before or meanwhile."""

    row: Row
    met: bool


@dataclass(slots=True)
class Envelope:
    """An event and, when somebody waits for what became of it, the place for the answer.

    `posted`, `decided` and `saved` are when that was, in monotonic seconds. `comforted`: those on the line were seen
    to while it is held up; `joined`: they were joined.
    """

    event: Event | CallerArrived | CallbackRequested
    posted: float
    answer: "asyncio.Future[Interaction] | None" = None
    decided: float = 0.0
    saved: float = 0.0
    comforted: bool = False
    joined: bool = False

    def ms(self, at: float) -> float | None:
        """Milliseconds since it was posted; None when it has not come to that."""
        return round((at - self.posted) * 1000, 2) if at else None

    def reply(self, it: Interaction) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(it)

    def refuse_soon(self) -> None:
        """Unless it is known by then what became of it: Postgres did not say whether it stored it."""
        asyncio.get_running_loop().call_later(KNOWN_WITHIN, self.refuse, Uncertain())

    def refuse(self, error: Exception) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(error)


class Mailbox:
    """`interaction` is the row as we last stored it, None when it has to be read; `row` the one last decided upon."""

    def __init__(self, interaction_id: UUID, handle: "Callable[[Mailbox, Envelope], Awaitable[None]]") -> None:
        self.id = interaction_id
        self.interaction: Interaction | None = None
        self.row: Row | None = None
        self.unsure: Unsure | None = None
        self.held: Held | None = None
        self.stalled = False
        self._try_again: asyncio.Event | None = None
        self._handle = handle
        self._envelopes: deque[Envelope] = deque()
        self._busy = False

    @property
    def idle(self) -> bool:
        return not self._busy and not self._envelopes

    def take(self, row: Interaction) -> None:
        """A row that was read just now need not be read again. With legs it would be kept, and may be old by now."""
        if self.idle and self.interaction is None and not row.legs:
            self.interaction = row

    def post(self, envelope: Envelope, spawn: Callable[[Awaitable[None]], object]) -> None:
        """Put an envelope in; `spawn` runs the handling when nobody is at it already."""
        self._envelopes.append(envelope)
        if not self._busy:
            self._busy = True
            spawn(self._work())

    @property
    def waiting(self) -> tuple[Envelope, ...]:
        """The envelopes behind the one that is being handled."""
        return tuple(self._envelopes)

    def stall(self) -> None:
        """Postgres does not answer: people behind the envelope in hand are told so at once, news waits."""
        self.stalled = True
        for each in self._envelopes:
            each.refuse(Unavailable("Postgres does not answer."))

    async def pause(self, seconds: float) -> None:
        """Before the envelope in hand is tried again."""
        self._try_again = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._try_again.wait()
        except TimeoutError:
            pass
        finally:
            self._try_again = None

    def try_again(self) -> bool:
        """End the pause, if this is one: Postgres may be back, and somebody asks for something."""
        if self._try_again:
            self._try_again.set()
        return self._try_again is not None

    def go_on(self) -> None:
        """It does."""
        self.stalled, self.held = False, None

    @property
    def has_news(self) -> bool:
        """Whether an envelope that waits tells of anything but time."""
        return any(not isinstance(each.event, TimeReached) for each in self._envelopes)

    def tells_end_of(self, leg: str) -> bool:
        """Whether an envelope that waits says that this leg has gone."""
        return any(isinstance(each.event, LegGone) and each.event.leg == leg for each in self._envelopes)

    async def _work(self) -> None:
        try:
            while self._envelopes:
                await self._handle_one(self._envelopes.popleft())
        finally:
            self._busy = False
            self.go_on()

    async def _handle_one(self, envelope: Envelope) -> None:
        """One that cannot be handled must not hold up those behind it; one nobody waits for any more is void."""
        if envelope.answer and envelope.answer.done():
            return
        try:
            await self._handle(self, envelope)
        except Exception as error:
            log.exception("envelope not handled", cause=type(envelope.event).__name__)
            envelope.refuse(error)
