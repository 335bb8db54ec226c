"""How an interaction begins: a call comes in, or a callback is asked for. Its row is stored before anything is done.

When Postgres does not say whether it stored the row, no row may be left behind that nobody knows of: a call is given
back to the dialplan, and its row closed, or kept from ever landing by a closed one under the same id; a request is
stored again under the same id until it is certain.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from routing.core.context import Context
from routing.core.effects import Effect, Refusal, Refuse, SendBack
from routing.core.errors import Conflict, Invalid, NotFound, RingbackError, Unavailable
from routing.core.events import CallbackRequested, CallerArrived, Event, LegGone, ServiceRestarted
from routing.core.interaction import Interaction, Status
from routing.core.lifecycle import Decision, arrive, decide, request
from routing.core.queues import Queue
from routing.engine.clock import Clock
from routing.engine.lease import Lease
from routing.engine.legs import Legs
from routing.engine.mailbox import Envelope, Mailbox
from routing.engine.number_rules import NumberRules
from routing.engine.queues import Queues
from routing.runtime import metrics
from routing.store import interactions, queues
from routing.store.database import Pool
from routing.store.number_rules import Check

log = structlog.get_logger()

AGAIN = 0.2
"""Seconds until Postgres is asked again."""

Begun = Callable[[Mailbox, Envelope, Decision, int], Awaitable[None]]


class Arrivals:
    """`act` carries out an effect, `tell` puts an event to an interaction, `begun` takes one that is stored.
    `taking_back` are the rows, by their caller's leg, that end as the caller was given back and did not hang up;
    `sent_back` the legs that were given back and not heard to leave yet."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        lease: Lease,
        queues: Queues,
        number_rules: NumberRules,
        legs: Legs,
        act: Callable[[Effect], Awaitable[None]],
        tell: Callable[[UUID, Event], None],
        spawn: Callable[[Awaitable[None]], object],
        begun: Begun,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._lease = lease
        self._queues = queues
        self._number_rules = number_rules
        self._legs = legs
        self._act = act
        self._tell = tell
        self._spawn = spawn
        self._begun = begun
        self.taking_back: dict[str, UUID] = {}
        self.sent_back: set[str] = set()

    # Calls

    async def let_in(self, box: Mailbox, envelope: Envelope, event: CallerArrived) -> None:
        """Row first, then the answer; a number nobody answers is turned away, and a call that is one too many."""
        decided: tuple[Queue, Decision] | None = None
        try:
            found = await self._queues.by_number(event.dialled, event.written)
            if found is None:
                await self._reject_call(event, Refusal.UNKNOWN_NUMBER)
                return
            queue, version = found
            decision = self._by_our_clock(arrive(box.id, Context(queue, self._clock.now()), version, event))
            envelope.decided = self._clock.monotonic()
            (caller,) = decision.interaction.legs
            exceeded = self._legs.let_in(caller.id, queue, caller.party)
            if exceeded and not event.answered:
                await self._reject_call(event, Refusal.BUSY, exceeded)
                return
            decided = queue, decision
            cursor = await self._create(decision)
        except Invalid:  # the queue was deleted at this moment
            await self._reject_call(event, Refusal.UNKNOWN_NUMBER)
            return
        except (Unavailable, Conflict) as error:
            self._legs.drop(event.leg)
            if decided and isinstance(error, Unavailable):
                self.taking_back[event.leg] = box.id
                self._spawn(self._take_back(box, envelope, event.leg, *decided))
            await self.send_back(event.leg)
            raise
        await self._begun(box, envelope, decision, cursor)

    async def send_back(self, leg: str) -> None:
        """To the dialplan, which lets the caller wait there and come in anew. It may be late, or not heard at all."""
        self.sent_back.add(leg)
        await self._act(SendBack(leg))

    async def _reject_call(self, event: CallerArrived, refusal: Refusal, limit: str | None = None) -> None:
        self._legs.drop(event.leg)
        metrics.CALLS_REFUSED.labels(why=limit or refusal).inc()
        log.info("call refused", dialled=event.dialled, why=limit or refusal)
        await self._act(Refuse(event.leg, refusal))

    async def _take_back(self, box: Mailbox, envelope: Envelope, leg: str, queue: Queue, decision: Decision) -> None:
        """The caller was sent back, and comes in anew: the row of this time ends, whether it was stored or not."""
        now = self._clock.now()
        lost = decide(decision.interaction, Context(queue, now), LegGone(leg, lost=True))
        closed = replace(lost, feed=(*decision.feed, *lost.feed))
        try:
            known = await self._until_known(box.id, lambda: self._create(closed))
        except Unavailable:  # the shard's next owner looks at who is there; nothing of ours lands any more
            return
        finally:
            if self.taking_back.get(leg) == box.id:
                del self.taking_back[leg]
        if isinstance(known, int):
            await self._begun(box, envelope, closed, known)
        elif known.status is Status.CLOSED and known.version == 1:  # by us, at a try that was not confirmed
            await self._begun(box, envelope, closed, 0)
        else:  # the leg may be another row's, by now or soon: the caller is back
            self._tell(box.id, LegGone(leg, lost=True))
            self._tell(box.id, ServiceRestarted())

    # Requests

    async def take_down(self, box: Mailbox, envelope: Envelope, event: CallbackRequested) -> None:
        """A life that begins without a call. Raises what refuses it."""
        stored = await queues.get(self._pool, event.queue)
        now = self._clock.now()
        decision = self._by_our_clock(request(box.id, Context(stored.queue, now), stored.version, event))
        envelope.decided = self._clock.monotonic()
        asked = False

        async def store(check: Check | None) -> int:
            nonlocal asked
            asked = True
            return await self._create(decision, check)

        try:
            cursor = await self._number_rules.guarded(decision, store, event.asker, anew=True)
        except Unavailable:
            if not asked:
                raise
            envelope.refuse_soon()
            self._spawn(self._take_down_in_the_end(box, envelope, decision))
            return
        await self._begun(box, envelope, decision, cursor)

    async def _take_down_in_the_end(self, box: Mailbox, envelope: Envelope, decision: Decision) -> None:
        """It may have been stored; whoever waits for it is told as soon as that is certain."""
        store = partial(self._create, decision)
        try:
            known = await self._until_known(box.id, lambda: self._number_rules.guarded(decision, store))
        except RingbackError as error:
            envelope.refuse(error)
            return
        if isinstance(known, int) or known.version == 1:
            await self._begun(box, envelope, decision, known if isinstance(known, int) else 0)
        else:  # it has gone on since
            envelope.reply(known)

    # Both

    async def _create(self, decision: Decision, check: Check | None = None) -> int:
        """Entered when it was decided, however long it takes to be stored."""
        entered = decision.interaction.entered_at
        return await interactions.create(self._pool, self._lease.ownership, decision, entered, check)

    def _by_our_clock(self, decision: Decision) -> Decision:
        """The times in a new life are by the clock as it goes now."""
        return replace(decision, interaction=decision.interaction.changed(shift=self._clock.shift))

    async def _until_known(self, interaction_id: UUID, create: Callable[[], Awaitable[int]]) -> Interaction | int:
        """Until Postgres says that it is there: as it is, or its cursor when it was created by this. Raises what
        refuses it, and Unavailable when the shard has another owner."""
        while True:
            try:
                return await self._known(interaction_id, create)
            except Unavailable:
                if self._lease.lost:
                    raise
                await asyncio.sleep(AGAIN)

    async def _known(self, interaction_id: UUID, create: Callable[[], Awaitable[int]]) -> Interaction | int:
        with suppress(NotFound):
            return await self._confirmed(interaction_id)
        try:
            return await create()
        except Conflict:
            raise Unavailable("It was created at this moment, or the shard has another owner.") from None
        except Unavailable:
            raise
        except RingbackError:  # perhaps as it has landed meanwhile
            with suppress(NotFound):
                return await self._confirmed(interaction_id)
            raise

    async def _confirmed(self, interaction_id: UUID) -> Interaction:
        """As it is on every machine that may take over. Raises NotFound."""
        it = await interactions.load(self._pool, interaction_id)
        await self._lease.committed()
        return it
