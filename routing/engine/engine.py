"""The engine: takes events in, lets the core decide, stores the decision, then acts. Counterpart: `Phones`."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import structlog

from routing.core.effects import DestroyBridge, DialCustomer, Effect, HangUp, RingAgent
from routing.core.errors import Conflict, RingbackError, Unavailable, Uncertain
from routing.core.events import (
    CallbackRequested,
    CallerArrived,
    Event,
    Heard,
    LegDialled,
    LegGone,
    PersonEvent,
    ServiceRestarted,
    TimeReached,
)
from routing.core.interaction import Interaction, LegState, Role, Status
from routing.core.lifecycle import Decision, Released
from routing.engine import degraded
from routing.engine.acting import Actor
from routing.engine.agents import AgentService
from routing.engine.arrivals import Arrivals
from routing.engine.clock import Clock
from routing.engine.deciding import Decider
from routing.engine.degraded import DegradedMode
from routing.engine.due import DueRows
from routing.engine.lease import Lease
from routing.engine.legs import Legs
from routing.engine.mailbox import Envelope, Mailbox, Unsure
from routing.engine.notices import AgentChanged, InteractionChanged, Notice, QueueChanged
from routing.engine.number_rules import NumberRules
from routing.engine.phones import Phones
from routing.engine.queues import Queues
from routing.engine.router import Router
from routing.engine.timekeeping import Timekeeper
from routing.engine.timers import Timers
from routing.runtime import metrics
from routing.store.database import Pool
from routing.store.interactions import Unread

log = structlog.get_logger()

NEWS_WITHIN = 0.05
"""Seconds that those who wait for news may have to wait while Asterisk is told what to do."""

WITHOUT_CONTACT = timedelta(seconds=0.2)
"""How long until it is looked again whether Asterisk is heard, for those whom time would have something to tell."""

FINISH_WITHIN, CANCELLED_WITHIN = 3.0, 0.5
"""Seconds at the end for what is being handled, and for what is broken off then."""

CALLS = (RingAgent, DialCustomer)

ANSWER_WITHIN = 2.0
"""Seconds a person waits for what becomes of a request. What has not begun by then is not done any more."""


class Engine:
    """All living interactions of one shard. Background tasks: `run`, which lasts until it is cancelled or fenced.

    `new_id` draws what interactions are called.
    """

    def __init__(
        self, pool: Pool, clock: Clock, lease: Lease, phones: Phones, new_id: Callable[[], UUID] = uuid4
    ) -> None:
        self.pool = pool
        self.clock = clock
        self.lease = lease
        self._phones = phones
        self._new_id = new_id
        self._boxes: dict[UUID, Mailbox] = {}
        self._legs = Legs()
        self._unread = Unread()
        self._listeners: list[Callable[[Notice], None]] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._parts: dict[str, Callable[[], bool]] = {
            "postgres": lambda: self.lease.answered,
            "shard": lambda: self.lease.valid,
        }
        self._timers = Timers(clock, self._wake, lease.woke_within)
        self._due = DueRows(pool, clock, lease, self._timers, self._wake, self._read_again, self._wait_for_tasks)
        self.timekeeper = Timekeeper(pool, clock, lease, self._clock_jumped)
        self.queues = Queues(pool)
        self.number_rules = NumberRules(pool, clock, self.queues)
        self.agents = AgentService(
            pool, phones, self.ask, self.tell, self.agents_changed, self._in_contact, self._spawn
        )
        self.router = Router(pool, clock, self.ask, self.tell, self._can_ring)
        self._actor = Actor(clock, lease, phones, self.hear, self._may_call)
        self._degraded = DegradedMode(clock, self._actor.perform, self._spawn, new_id)
        self._decider = self._make_decider()
        self._arrivals = self._make_arrivals()

    def _make_decider(self) -> Decider:
        return Decider(
            self.pool,
            self.clock,
            self.lease,
            self.queues,
            self._phones,
            self._actor.perform,
            self._degraded,
            self.number_rules,
            self._in_contact,
            self._legs.was_dialled,
        )

    def _make_arrivals(self) -> Arrivals:
        return Arrivals(
            self.pool,
            self.clock,
            self.lease,
            self.queues,
            self.number_rules,
            self._legs,
            self._actor.perform,
            self.tell,
            self._spawn,
            self._begun,
        )

    # Life

    async def run(self) -> None:
        """Keep the lease, match, wake what is due. Raises Fenced when another process took over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lease.keep(), name="lease")
            group.create_task(self.lease.watch_pulse(), name="pulse")
            group.create_task(self.timekeeper.keep(), name="clock")
            group.create_task(self.router.run(), name="router")
            group.create_task(self._due.watch(), name="due rows")

    def halt(self) -> None:
        """Start nothing any more."""
        self.lease.close()
        self._timers.cancel_all()

    async def stop(self) -> None:
        """Let what is being handled finish while the shard is ours, and break off the rest; then let go of the shard.
        Calls are left as they are."""
        self.halt()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=min(FINISH_WITHIN, self.lease.left))
        if left_over := tuple(self._tasks):
            for task in left_over:
                task.cancel()
            await asyncio.wait(left_over, timeout=CANCELLED_WITHIN)
        await self.lease.release()

    def add_part(self, name: str, healthy: Callable[[], bool]) -> None:
        """Another part whose health `health` reports."""
        self._parts[name] = healthy

    @property
    def epoch(self) -> int:
        """Of this process' turn at the shard."""
        return self.lease.ownership.epoch

    def health(self) -> dict[str, bool]:
        return {name: healthy() for name, healthy in self._parts.items()}

    def _in_contact(self) -> bool:
        return self._parts.get("ari", lambda: True)()

    def _can_ring(self, agent_id: str) -> bool:
        return self.lease.valid and self._in_contact() and self.agents.reachable(agent_id)

    # What comes in

    async def request(self, event: CallbackRequested) -> Interaction:
        """A callback that was asked for. Raises NotFound or, deleted at this moment, Invalid for its queue,
        DuplicateCallback, Unavailable."""
        return await self.ask(self._new_id(), event)

    async def ask(
        self, interaction_id: UUID, event: PersonEvent | CallbackRequested, row: Interaction | None = None
    ) -> Interaction:
        """Let a person's event happen; the interaction it led to. `row`: as it was read just now. Raises the
        RingbackError that refuses it."""
        box = self._box(interaction_id)
        if row:
            box.take(row)
        if box.stalled and not box.try_again():
            raise Unavailable("Postgres does not answer.")
        answer: asyncio.Future[Interaction] = asyncio.get_running_loop().create_future()
        envelope = self._envelope(event, answer)
        box.post(envelope, self._spawn)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await answer
        except TimeoutError:
            raise Uncertain() if envelope.decided else Unavailable("Postgres does not answer.") from None

    def hear(self, leg: str, event: Heard) -> None:
        """News from Asterisk about a leg. Of legs we no longer have it is late, and counted."""
        if isinstance(event, LegDialled):
            self._legs.dialled(leg)
            return
        interaction_id = self._legs.owner(leg)
        gone = isinstance(event, LegGone)
        if gone:
            self._arrivals.sent_back.discard(leg)
        if interaction_id is None or (gone and leg in self._arrivals.taking_back):
            metrics.EVENTS_IGNORED.labels(event=type(event).__name__).inc()
            return
        self.tell(interaction_id, event)

    def tell(self, interaction_id: UUID, event: Event) -> None:
        """Let an event happen without waiting for what becomes of it."""
        box, envelope = self._box(interaction_id), self._envelope(event)
        self._degraded.behind(box, envelope)
        box.post(envelope, self._spawn)

    def arrive(self, event: CallerArrived) -> None:
        """A new call, which has just entered. What it does before its row is there waits in its mailbox."""
        if event.leg in self._legs:
            return
        self._arrivals.taking_back.pop(event.leg, None)
        self._arrivals.sent_back.discard(event.leg)
        interaction_id = self._new_id()
        self._legs.add(event.leg, interaction_id)
        self._box(interaction_id).post(self._envelope(event), self._spawn)

    def leaving(self) -> frozenset[str]:
        """The callers who were given back to the dialplan and have not left yet."""
        return frozenset(self._arrivals.sent_back)

    def have_left(self, legs: Collection[str]) -> None:
        """These are not in our application any more."""
        self._arrivals.sent_back.difference_update(legs)

    def send_back_again(self, leg: str) -> None:
        """Unless they have left since: Asterisk may not have heard it."""
        if leg in self._arrivals.sent_back:
            self._spawn(self._arrivals.send_back(leg))

    def knows(self, leg: str) -> bool:
        """Whether the leg belongs to a living interaction, be it one that cannot be read."""
        return leg in self._legs or leg in self._unread.legs

    def legs(self) -> tuple[str, ...]:
        """Those of all living interactions."""
        return tuple(self._legs)

    def lines(self) -> list[dict[str, Role]]:
        """Of each call the legs that are up, and whose they are."""
        living = (box.interaction for box in self._boxes.values() if box.interaction)
        return [{leg.id: leg.role for leg in it.legs if leg.state is LegState.UP} for it in living]

    def expects(self, leg: str) -> bool:
        """Whether the leg is just being set up."""
        return self._phones.expects(leg)

    def holds(self, interaction_id: UUID) -> bool:
        """Whether the interaction is in memory, as all with legs are, or cannot be read."""
        return interaction_id in self._boxes or interaction_id in self._unread.interactions

    def leave_alone(self, unread: Unread) -> None:
        """Rows that this version cannot read: their calls and bridges are nobody's to clear away."""
        self._unread = unread

    def when_handled(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this once all that has been told until now is handled. Postgres' being away is no reason to fail."""

        async def wait_and_work(before: tuple[asyncio.Future[None], ...]) -> None:
            if before:
                await asyncio.wait(before)
            try:
                await work()
            except Unavailable:
                log.warning("not noted: Postgres does not answer")

        self._spawn(wait_and_work(tuple(self._tasks)))

    def end_orphan(self, leg: str) -> None:
        """Hang up a leg that belongs to nothing, unless it does by now or is just being set up. News of others does
        not wait for it: a slow Asterisk would make them late."""
        if not self.knows(leg) and not self._phones.expects(leg):
            self._spawn(self._actor.perform(HangUp(leg)))

    def end_bridge(self, bridge: str) -> None:
        """Destroy a bridge of nobody's; no news waits for it either."""
        self._spawn(self._actor.perform(DestroyBridge(bridge)))

    # Notices

    def subscribe(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Call `listener` after every commit; the returned function ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def agents_changed(self, agent_id: str) -> None:
        self._notify(AgentChanged(agent_id))
        self.router.stir()

    def queues_changed(self, name: str = "") -> None:
        self.queues.changed()
        self._notify(QueueChanged(name))
        self.router.stir()

    def _notify(self, notice: Notice) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(notice)
            except Exception:  # a listener's bug is not the caller's
                log.exception("listener failed")

    # Handling

    def adopt(self, it: Interaction) -> None:
        """Take a row that was read as the mailbox's own."""
        box = self._box(it.id)
        if box.interaction and box.interaction.version > it.version:
            it = box.interaction  # it has gone on since the row was read
        elif box.idle:
            box.interaction = it
        self._legs.follow(None, it)
        self._timers.set(it.id, it.wake_at)

    def _box(self, interaction_id: UUID) -> Mailbox:
        if (box := self._boxes.get(interaction_id)) is None:
            box = self._boxes[interaction_id] = Mailbox(interaction_id, self._handle)
        return box

    def _envelope(
        self, event: Event | CallerArrived | CallbackRequested, answer: "asyncio.Future[Interaction] | None" = None
    ) -> Envelope:
        return Envelope(event, self.clock.monotonic(), answer)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wake(self, interaction_id: UUID) -> None:
        self.tell(interaction_id, TimeReached())

    async def _handle(self, box: Mailbox, envelope: Envelope) -> None:
        """Whatever happens in here concerns this interaction only."""
        with structlog.contextvars.bound_contextvars(interaction=box.id.hex):
            try:
                match envelope.event:
                    case CallerArrived() as arrived:
                        await self._arrivals.let_in(box, envelope, arrived)
                    case CallbackRequested() as requested:
                        await self._arrivals.take_down(box, envelope, requested)
                    case event:
                        await self._apply(box, envelope, event)
            except (RingbackError, Conflict) as error:
                self._refused(box, envelope, error)
            finally:
                self._forget_when_quiet(box)

    def _refused(self, box: Mailbox, envelope: Envelope, error: Exception) -> None:
        if isinstance(error, Conflict):
            error = Unavailable("Somebody else is changing this interaction; try again.")
        if box.unsure:
            self.tell(box.id, TimeReached())  # finds out whether it was stored, and then acts upon it
        if box.unsure and box.unsure.envelope is envelope:
            envelope.refuse_soon()
        else:
            envelope.refuse(error)
        log.info("refused", cause=type(envelope.event).__name__, error=str(error))

    async def _apply(self, box: Mailbox, envelope: Envelope, event: Event) -> None:
        left_over, had = box.unsure, box.interaction
        stored = await self._decider.decide(box, envelope, event)
        if stored.unsure:
            await self._act_and_publish_late(box, stored.unsure, stored.decision, stored.cursor or 0)
            if stored.unsure is left_over:
                await self._apply(box, envelope, event)
            return
        if had and had.version < stored.before.version:  # it was read, and changed, before we had it
            self._keep_track(had, stored.before)
        if stored.refusal:
            envelope.refuse(stored.refusal)
        if stored.cursor is None:
            # A timer can fire a moment too early, or have been set for a row that had changed when it was adopted.
            self._wake_again(stored.before)
            metrics.EVENTS_IGNORED.labels(event=type(event).__name__).inc()
            envelope.reply(stored.decision.interaction)
            return
        await self._act_and_publish(stored.before, stored.decision, stored.cursor, envelope)

    def _wake_again(self, it: Interaction) -> None:
        """Without contact those on the line are not woken before it is there again, which tells what they did."""
        now = self.clock.now()
        waits = it.legs and it.wake_at and it.wake_at <= now and not self._in_contact()
        self._timers.set(it.id, now + WITHOUT_CONTACT if waits else it.wake_at)

    async def _act_and_publish_late(self, box: Mailbox, unsure: Unsure, decision: Decision, cursor: int) -> None:
        """Calls that would begin late are asked about again, like after a restart: the agent may be gone by now, or
        the window closed."""
        late = self.clock.monotonic() - unsure.at > degraded.SOON
        held_back = tuple(each for each in decision.effects if not (late and isinstance(each, CALLS)))
        await self._act_and_publish(unsure.before, replace(decision, effects=held_back), cursor, unsure.envelope)
        if held_back != decision.effects:
            self.tell(box.id, ServiceRestarted())

    async def _act_and_publish(
        self, before: Interaction | None, decision: Decision, cursor: int, envelope: Envelope
    ) -> None:
        """Act upon what was stored, then tell of it: the customer's INVITE does not wait for anybody's news."""
        it = decision.interaction
        self._keep_track(before, it)
        effects = tuple(each for each in decision.effects if not self._is_pointless(it, each))
        if not effects:
            self._tell_of(before, decision, cursor, envelope)
            return
        acting = asyncio.ensure_future(self._actor.perform_all(effects, envelope.posted))
        try:
            await asyncio.wait([acting], timeout=NEWS_WITHIN)
            self._tell_of(before, decision, cursor, envelope)
            await acting
        finally:
            acting.cancel()

    def _tell_of(self, before: Interaction | None, decision: Decision, cursor: int, envelope: Envelope) -> None:
        envelope.reply(decision.interaction)
        self._log(before, decision, envelope)
        self._notify(InteractionChanged(decision, cursor))
        for agent in {each.agent for each in decision.agents}:
            self._notify(AgentChanged(agent))
        self._stir(decision)

    def _is_pointless(self, it: Interaction, effect: Effect) -> bool:
        """A call to, or for, an agent's phone whose end waits to be handled already."""
        return isinstance(effect, CALLS) and self._agent_has_left(it)

    def _may_call(self, leg: str) -> bool:
        """Whether this leg, that took a while to be set up, is still to be rung."""
        owner = self._legs.owner(leg)
        box = self._boxes.get(owner) if owner else None
        return self.lease.valid and not (box and box.interaction and self._agent_has_left(box.interaction))

    def _agent_has_left(self, it: Interaction) -> bool:
        agent, box = it.leg(Role.AGENT), self._boxes.get(it.id)
        return bool(agent and box and box.tells_end_of(agent.id))

    def _keep_track(self, before: Interaction | None, it: Interaction) -> None:
        self._legs.follow(before, it)
        self._timers.set(it.id, it.wake_at)

    def _stir(self, decision: Decision) -> None:
        """The line or the agents who are free have changed."""
        it = decision.interaction
        freed = any(isinstance(each, Released) for each in decision.agents)
        if it.status is Status.OPEN and it.place.not_before and it.place.not_before > self.clock.now():
            self.router.stir_in((it.place.not_before - self.clock.now()).total_seconds())
        elif it.status is Status.OPEN or freed or it.status in (Status.SCHEDULED, Status.BOT):
            self.router.stir()

    def _log(self, before: Interaction | None, decision: Decision, envelope: Envelope) -> None:
        """The one canonical line of a decision."""
        log.info(
            "decision",
            cause=type(envelope.event).__name__,
            before=_where(before),
            after=_where(decision.interaction),
            effects=[type(each).__name__ for each in decision.effects],
            decided=envelope.ms(envelope.decided),
            saved=envelope.ms(envelope.saved),
            ms=envelope.ms(self.clock.monotonic()),
        )
        metrics.observe(decision)

    # Arrivals

    async def _begun(self, box: Mailbox, envelope: Envelope, decision: Decision, cursor: int) -> None:
        """Where it took long to find out, the row may have gone on since it was looked at."""
        known = self._boxes.get(box.id, box).interaction
        if known and known.version > 1:
            envelope.reply(known)
            return
        envelope.saved = self.clock.monotonic()
        box.interaction = replace(decision.interaction, version=1)
        await self._act_and_publish(None, replace(decision, interaction=box.interaction), cursor, envelope)

    # Memory

    def _forget_when_quiet(self, box: Mailbox) -> None:
        """Keep in memory only what has channels or is due soon."""
        it = box.interaction
        if it and (it.legs or (it.wake_at and self._timers.has(it.id))):
            return
        asyncio.get_running_loop().call_soon(self._forget, box)

    def _forget(self, box: Mailbox) -> None:
        if box.idle and self._boxes.get(box.id) is box:
            del self._boxes[box.id]
            # A row that was read, and then changed before it was adopted, may have left legs behind.
            self._legs.forget(box.id)

    def _read_again(self, interaction_id: UUID) -> None:
        """What we have in memory has let the row's deadline pass, so it is not the row."""
        if (box := self._boxes.get(interaction_id)) and box.idle:
            box.interaction = None

    # Time

    def _clock_jumped(self) -> None:
        """Whoever is in memory is put right at once, the others as the table is looked at."""
        for interaction_id in tuple(self._boxes):
            self._wake(interaction_id)
        self._due.clock_jumped()
        self.router.stir()

    async def _wait_for_tasks(self) -> None:
        """Until what is being handled is, but not for long."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=ANSWER_WITHIN)


def _where(it: Interaction | None) -> str | None:
    if it is None:
        return None
    return f"{it.status}/{it.stage}" if it.stage else str(it.status)
