"""Lets the core decide and stores what it decided: again on the fresh row when another writer was first, again after
a while when Postgres does not answer. What it returns is durable."""

import asyncio
import time
from dataclasses import dataclass, replace

from routing.effects import DialCustomer, HangUp
from routing.engine.clock import Clock
from routing.engine.lease import Lease
from routing.engine.mailbox import Letter, Mailbox, Unsure
from routing.engine.phones import Phones
from routing.engine.queues import Queues
from routing.errors import Conflict, DuplicateCallback, Unavailable
from routing.events import DuplicateFound, Event
from routing.interaction import Interaction
from routing.lifecycle import Decision, decide
from routing.store import interactions
from routing.store.database import Pool

MOST_CONFLICTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A decision that is durable. `cursor` is its place in the feed, None when there was nothing to store."""

    before: Interaction
    decision: Decision
    cursor: int | None


class Decider:
    def __init__(self, pool: Pool, clock: Clock, lease: Lease, queues: Queues, phones: Phones) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._queues = queues
        self._phones = phones

    async def decide(self, box: Mailbox, letter: Letter, event: Event) -> Stored:
        """Raises what refuses a person, Conflict, or Unavailable; for the network's news it waits for Postgres.

        When an earlier decision's commit was never confirmed and turns out to be durable, that one is returned.
        """
        conflicts, pause, given_up = 0, FIRST_PAUSE, box.unsure
        while True:
            try:
                return await self._settled(box, given_up) or await self._once(box, letter, event)
            except DuplicateCallback:
                event = DuplicateFound("")
                continue
            except Conflict:
                box.interaction = None
                conflicts += 1
                if letter.answer and conflicts >= MOST_CONFLICTS:
                    raise
            except Unavailable:
                box.interaction = None
                if letter.answer:
                    raise
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _settled(self, box: Mailbox, given_up: Unsure | None) -> Stored | None:
        """What became of the decision whose commit was not confirmed; None when it is not durable.

        What was set up for one that is `given_up` is cleared away; one that is tried again takes it over.
        """
        if (unsure := box.unsure) is None:
            return None
        it = await interactions.load(self._pool, box.id)
        (before, decision), box.unsure, box.interaction = unsure, None, it
        if it.version != before.version + 1:
            if unsure is given_up:
                await self._clear_away(before, decision)
            return None
        return Stored(before, replace(decision, interaction=it), 0)

    async def _once(self, box: Mailbox, letter: Letter, event: Event) -> Stored:
        before = box.interaction or await interactions.load(self._pool, box.id)
        box.interaction = before
        queue = await self._queues.version(before.queue, before.queue_version)
        decision = decide(before, queue, event, self._clock.now())
        if decision.ignored or (decision.interaction == before and not decision.effects):
            return Stored(before, decision, None)
        letter.decided = time.monotonic()
        cursor = await self._save(box, before, decision)
        letter.saved = time.monotonic()
        box.interaction = replace(decision.interaction, version=before.version + 1)
        return Stored(before, replace(decision, interaction=box.interaction), cursor)

    async def _save(self, box: Mailbox, before: Interaction, decision: Decision) -> int:
        """Meanwhile the customer's leg is set up, though not dialled."""
        for call in _new_calls(before, decision):
            if self._lease.valid:
                self._phones.reserve(call)
        try:
            return await interactions.save(self._pool, self._lease.ownership, before, decision, self._clock.now())
        except BaseException as error:
            if isinstance(error, Unavailable):
                box.unsure = (before, decision)
            else:
                await self._clear_away(before, decision)
            raise

    async def _clear_away(self, before: Interaction, decision: Decision) -> None:
        """The legs set up for a decision that did not come to be."""
        for call in _new_calls(before, decision):
            await self._phones.perform(HangUp(call.leg))


def _new_calls(before: Interaction, decision: Decision) -> list[DialCustomer]:
    """The customers' legs this decision asks for; one it had before is not a new one."""
    calls = [each for each in decision.effects if isinstance(each, DialCustomer)]
    return [call for call in calls if before.leg_with(call.leg) is None]
