"""Lets the core decide and stores what it decided: again on the fresh row when another writer was first, again after
a while when Postgres does not answer. What it returns is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from routing.core.effects import DialCustomer, Effect, HangUp
from routing.core.errors import Conflict, DuplicateCallback, NumberBlocked, RateLimited, RingbackError, Unavailable
from routing.core.events import (
    DigitPressed,
    DuplicateFound,
    Edited,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    NumberRefused,
    Requeued,
    Rescheduled,
    Settled,
    TimeReached,
)
from routing.core.interaction import Interaction, LegState, Role
from routing.core.lifecycle import Decision, decide
from routing.core.lifecycle.jumped import rebased
from routing.core.lifecycle.late import begun_late
from routing.core.lifecycle.unanswered import unanswered
from routing.core.numbers import Rule
from routing.engine import degraded, pacing
from routing.engine.clock import Clock
from routing.engine.degraded import DegradedMode, Watch
from routing.engine.lease import Lease
from routing.engine.mailbox import Envelope, Mailbox, Row, Unsure
from routing.engine.number_rules import NumberRules
from routing.engine.pacing import Pacer
from routing.engine.phones import Phones
from routing.engine.queues import Queues
from routing.engine.situation import context
from routing.store import interactions
from routing.store.database import Pool
from routing.store.number_rules import Check, blocked

log = structlog.get_logger()

MOST_CONFLICTS = 5
_CHANGES = (Requeued, Rescheduled, Settled, Edited)
"""What asks for a promise anew; refused, it leaves everything as it is."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

KEY_WITHIN = 10.0
"""Seconds a caller's key is tried to be stored; then the caller goes on waiting as if it had not been pressed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A decision that is durable. `cursor` is its place in the feed, None when there was nothing to store. `refusal`:
    what the person who asked is told, as the number rules led to another decision than was asked for. `unsure`: it is
    one whose commit had not been confirmed."""

    before: Interaction
    decision: Decision
    cursor: int | None
    refusal: RingbackError | None = None
    unsure: Unsure | None = None


class Decider:
    """`act` carries out an effect no decision stands behind; `in_contact` tells whether Asterisk is heard,
    `was_dialled` whether the call to a leg is known to have gone out."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        lease: Lease,
        queues: Queues,
        phones: Phones,
        act: Callable[[Effect], Awaitable[None]],
        degraded: DegradedMode,
        number_rules: NumberRules,
        in_contact: Callable[[], bool],
        was_dialled: Callable[[str], bool],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._queues = queues
        self._phones = phones
        self._act = act
        self._degraded = degraded
        self._number_rules = number_rules
        self._in_contact = in_contact
        self._was_dialled = was_dialled
        self._pacer = Pacer()

    async def decide(self, box: Mailbox, envelope: Envelope, event: Event) -> Stored:
        """Raises what refuses a person, Conflict, or Unavailable; for the network's news it waits for Postgres, for a
        key only so long.

        When an earlier decision's commit was never confirmed and turns out to be durable, that one is returned.
        """
        tried: set[str] = set()
        with self._degraded.near(box, envelope, event) as watch:
            stored = await self._until_stored(box, envelope, event, watch, tried)
        box.go_on()
        await self._hang_up(tried - {leg.id for leg in stored.decision.interaction.legs})
        return stored

    async def _until_stored(
        self, box: Mailbox, envelope: Envelope, event: Event, watch: Watch, tried: set[str]
    ) -> Stored:
        """`tried` gathers the customers' legs set up for tries that failed: what is stored in the end may differ."""
        conflicts, pause, given_up = 0, FIRST_PAUSE, box.unsure
        asked, refusal = event, None
        while True:
            if isinstance(event, DigitPressed) and self._is_stale(box, envelope, event):
                raise Unavailable("The key was given up.")
            try:
                if box.unsure and box.unsure is not given_up:
                    tried.update(_new_calls(box.unsure.before, box.unsure.decision))
                stored = await self._settled(box, given_up) or await self._once(box, envelope, event, watch)
                return replace(stored, refusal=refusal)
            except NumberBlocked as error:
                if envelope.answer and isinstance(event, _CHANGES):
                    raise
                event, refusal = NumberRefused(error.rule, error.until), error
                continue
            except DuplicateCallback:
                if envelope.answer:
                    raise
                event = DuplicateFound("")
                continue
            except Conflict:
                box.interaction, event, refusal = None, asked, None
                conflicts += 1
                if envelope.answer and conflicts >= MOST_CONFLICTS:
                    raise
            except Unavailable:
                box.interaction, event, refusal = None, asked, None  # a rule may be gone by then
                if envelope.answer:
                    raise
                box.stall()
            await box.pause(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _is_stale(self, box: Mailbox, envelope: Envelope, key: DigitPressed) -> bool:
        """Whether a key is too old to be followed. Who has hung up behind it has meant it."""
        return self._clock.monotonic() - envelope.posted > KEY_WITHIN and not box.tells_end_of(key.leg)

    async def _settled(self, box: Mailbox, given_up: Unsure | None) -> Stored | None:
        """What became of the decision whose commit was not confirmed; None when it is not durable, and then it never
        will be.

        What was set up for one that is `given_up` is cleared away; one that is tried again takes it over.
        """
        if (unsure := box.unsure) is None:
            return None
        before, decision, _, envelope = unsure
        it = await interactions.load(self._pool, box.id)
        if it.version == before.version:
            it = await self._overtaken(it)
        # What changes nothing cannot be told from having been overtaken: its effects may be asked for twice.
        is_stored = decision.interaction != before and it == replace(decision.interaction, version=before.version + 1)
        if is_stored:
            await self._lease.committed()
        box.unsure, box.interaction = None, it
        if not is_stored:
            if unsure is given_up:
                envelope.refuse(Unavailable("Postgres does not answer."))
                await self._clear_away(before, decision)
            return None
        box.interaction = it = await self._begin_now(unsure, it)
        return Stored(before, replace(decision, interaction=it), 0, unsure=unsure)

    async def _begin_now(self, unsure: Unsure, it: Interaction) -> Interaction:
        """The caller has as long for a key as ever, the customer for answering: what is acted upon late begins now.

        Where that cannot be stored either, somebody's time is short; the row is read again before the next decision.
        """
        late_by = self._clock.monotonic() - unsure.at
        late = begun_late(unsure.before, it, timedelta(seconds=late_by))
        if late == it or late_by < degraded.SOON:
            return it
        try:
            await interactions.save(self._pool, self._lease.ownership, it, Decision(late), self._clock.now())
        except (Conflict, Unavailable) as error:
            log.warning("times not put off", error=str(error))
            return it
        return replace(late, version=it.version + 1)

    async def _overtaken(self, it: Interaction) -> Interaction:
        """Postgres may still be at what we have given up waiting for: a new version keeps it out, unless it was
        quicker."""
        try:
            await interactions.save(self._pool, self._lease.ownership, it, Decision(it), self._clock.now())
        except Conflict:
            return await interactions.load(self._pool, it.id)
        return replace(it, version=it.version + 1)

    async def _once(self, box: Mailbox, envelope: Envelope, event: Event, watch: Watch) -> Stored:
        box.interaction = row = box.interaction or await interactions.load(self._pool, box.id)
        if self._is_void(box, envelope, row, event):
            return Stored(row, Decision(row, ignored=True), None)
        queue = await self._queues.version(row.queue, row.queue_version)
        now = self._clock.now()
        before = rebased(row, queue, self._clock.shift, now)
        box.row = Row(queue, before)
        watch.decides_of(box.row)
        happened = self._as_it_was(before, event, now)
        decision = decide(before, await context(self._pool, before, queue, happened, now), happened)
        if decision.ignored or (decision.interaction == row and not decision.effects):
            return Stored(before, decision, None)
        envelope.decided = self._clock.monotonic()
        await self._await_turn(envelope, decision, watch)
        asker = event.asker if isinstance(event, Edited) else None
        cursor = await self._save(box, before, decision, envelope, asker)
        envelope.saved = self._clock.monotonic()
        box.interaction = replace(decision.interaction, version=before.version + 1)
        box.row = Row(queue, box.interaction)
        return Stored(before, replace(decision, interaction=box.interaction), cursor)

    def _is_void(self, box: Mailbox, envelope: Envelope, row: Interaction, event: Event) -> bool:
        """Time tells nothing while what was done in time is still to come: in an envelope behind this one, or from
        those on the line who are out of contact. Nor does the guess that somebody has gone who is about to say
        so, perhaps after a key. And of an agent's phone that has gone since, nobody is called or joined for its sake
        any more."""
        match event:
            case TimeReached():
                return box.has_news or (bool(row.legs) and not self._in_contact())
            case LegGone(leg, refused=False, certain=False, lost=False):
                return box.tells_end_of(leg)
            case LegRinging(leg) | LegAnswered(leg):
                found = row.leg_with(leg)
                return bool(found and found.role is Role.AGENT and box.tells_end_of(leg) and not envelope.joined)
            case _:
                return False

    def _as_it_was(self, it: Interaction, event: Event, now: datetime) -> Event:
        """Who was not called, as far as we know, has not failed to answer: the call is over and nobody to blame."""
        if not isinstance(event, TimeReached):
            return event
        silent = unanswered(it, now)
        if silent is None or silent.state is not LegState.REQUESTED or self._was_dialled(silent.id):
            return event
        return LegGone(silent.id, certain=False, lost=silent.role is Role.AGENT)

    async def _save(
        self, box: Mailbox, before: Interaction, decision: Decision, envelope: Envelope, asker: str | None
    ) -> int:
        """Meanwhile the customer's leg is set up, though not dialled."""
        began = self._clock.monotonic()
        for call in _new_calls(before, decision).values():
            if self._lease.valid:
                self._phones.reserve(call)
        try:
            return await self._number_rules.guarded(decision, partial(self._store, before, decision), asker)
        except BaseException as error:
            if isinstance(error, Unavailable):
                box.unsure = Unsure(before, decision, began, envelope)
            else:
                await self._clear_away(before, decision)
            raise

    async def _store(self, before: Interaction, decision: Decision, check: Check | None) -> int:
        now = self._clock.now()
        return await interactions.save(self._pool, self._lease.ownership, before, decision, now, check)

    async def _await_turn(self, envelope: Envelope, decision: Decision, watch: Watch) -> None:
        """A call out waits a moment for its turn (`dial.cps`), also one that was prepared before an outage: after it
        those are many. One that may be ringing already has had its turn. Raises RateLimited for a person whose call
        has none; without a person it goes back to the line."""
        calls = [each for each in decision.effects if isinstance(each, DialCustomer)]
        if not any(not each.made or self._phones.expects(each.leg) for each in calls):
            return
        queue, _ = await self._queues.current(decision.interaction.queue)
        seconds = self._pacer.turn(queue.name, queue.dial.cps, self._clock.monotonic())
        if seconds <= pacing.MOST:
            watch.stop()
            await asyncio.sleep(seconds)
            watch.start()
        elif envelope.answer:
            raise RateLimited(seconds)
        else:
            raise blocked(Rule.CPS, self._clock.now() + timedelta(seconds=seconds))

    async def _clear_away(self, before: Interaction, decision: Decision) -> None:
        """The legs set up for a decision that did not come to be."""
        await self._hang_up(_new_calls(before, decision).keys())

    async def _hang_up(self, legs: Iterable[str]) -> None:
        """What is not done for want of an answer whose the shard is, nobody would do later."""
        for leg in sorted(legs):
            await self._lease.certain()
            await self._act(HangUp(leg))


def _new_calls(before: Interaction, decision: Decision) -> dict[str, DialCustomer]:
    """The customers' legs this decision asks for; one it had before is not a new one."""
    calls = [each for each in decision.effects if isinstance(each, DialCustomer)]
    return {call.leg: call for call in calls if before.leg_with(call.leg) is None}
