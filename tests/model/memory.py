"""What the store means, without SQL: rows in dictionaries, every call one atomic step.

`test_model.py` holds the real SQL on the real Postgres to it, step by step; `tests/simulation` runs on it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from routing.core.agents import Availability
from routing.core.errors import AgentBusy, Conflict, DuplicateCallback, NotFound
from routing.core.events import NumberFormat
from routing.core.feed import FeedLine
from routing.core.interaction import AgentPreferences, Interaction, Leg, Status, Subtype
from routing.core.lifecycle import Decision, NotReady
from routing.core.matching import Candidate, IdleAgent
from routing.core.numbers import Rule
from routing.core.queues import Queue, Switches
from routing.core.requirements import Moment
from routing.store import number_rules
from routing.store.interactions import Ownership, Unread
from routing.store.number_rules import Check, Stale
from routing.store.queues import Stored
from routing.store.read.line import MOST_PLACES
from routing.store.shards import LEASE, Held

HELD = {Status.OFFERED: "offered", Status.CONNECTED: "busy", Status.WRAP_UP: "wrap_up"}
NOBODYS = (Status.OPEN, Status.BOT, Status.SCHEDULED)
IN_LINE = (Status.OPEN, Status.BOT, Status.OFFERED)
NEVER = datetime.min.replace(tzinfo=UTC)


class Impossible(Exception):
    """A CHECK of the schema: no decision may ever lead there."""


@dataclass
class Agent:
    """An agent's row with their open assignment."""

    desk: AgentPreferences = AgentPreferences()
    queues: dict[str, int] = field(default_factory=dict)
    availability: Availability = Availability.LOGGED_OUT
    reason: str | None = None
    idle_since: datetime = NEVER
    work: tuple[UUID, str] | None = None
    sip_ha1: str | None = None


@dataclass
class Shard:
    owner: str = ""
    epoch: int = 0
    until: datetime = NEVER
    taken_at: datetime = NEVER
    telephones: str | None = None
    shift: float = 0.0


@dataclass
class LegRow:
    interaction: UUID
    leg: Leg
    live: bool


@dataclass(frozen=True)
class Commit:
    """One change of one interaction, as it became durable. `before` is None for a new one."""

    owner: Ownership
    before: Interaction | None
    after: Interaction
    feed: tuple[FeedLine, ...]


class Memory:
    """`now` is the database's clock. `on_commit` hears of every change; `checks` lists the constraints in force."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.rows: dict[UUID, Interaction] = {}
        self.shard_of: dict[UUID, str] = {}
        self.legs: dict[str, LegRow] = {}
        self.feed: list[tuple[UUID, int, FeedLine]] = []
        self.agents: dict[str, Agent] = {}
        self.queues: dict[str, list[Queue]] = {}
        self.switches: dict[str, tuple[bool, bool]] = {}
        self.do_not_call: set[str] = set()
        self.shards: dict[str, Shard] = {}
        self.checks = {"cas", "epoch", "one_assignment_per_agent", "one_pending_callback"}
        self.on_commit: Callable[[Commit], None] = lambda commit: None

    # Interactions

    def load(self, interaction_id: UUID) -> Interaction:
        try:
            return self.rows[interaction_id]
        except KeyError:
            raise NotFound from None

    def load_living(self, shard: str) -> tuple[list[Interaction], Unread]:
        living = [
            it
            for it in self.rows.values()
            if self.shard_of[it.id] == shard
            and (it.status in (Status.BOT, Status.OFFERED, Status.CONNECTED) or it.legs)
        ]
        return living, Unread()

    def create(self, owner: Ownership, decision: Decision, now: datetime, check: Check | None = None) -> int:
        if decision.interaction.id in self.rows:
            raise Conflict
        self._ask(check)
        if not self._owns(owner):
            raise Conflict
        self.shard_of[decision.interaction.id] = owner.shard
        return self._write(owner, None, decision, now)

    def save(
        self,
        owner: Ownership,
        before: Interaction,
        decision: Decision,
        now: datetime,
        check: Check | None = None,
    ) -> int:
        self._ask(check)
        stored = self.rows.get(before.id)
        if not self._owns(owner) or stored is None:
            raise Conflict
        if "cas" in self.checks and (stored.version, stored.status) != (before.version, before.status):
            raise Conflict
        return self._write(owner, before, decision, now)

    def _ask(self, check: Check | None) -> None:
        """Of `routing.store.number_rules` this model has: which version, the switches, the list."""
        if check is None:
            return
        register, process = self.switches.get(check.queue, (True, True))
        if check.version != len(self.queues[check.queue]):
            raise Stale
        if check.number in self.do_not_call:
            raise number_rules.blocked(Rule.DO_NOT_CALL)
        if check.moment is Moment.PROMISE and not register:
            raise number_rules.blocked(Rule.REGISTER)
        if check.moment is Moment.DIAL and not process:
            raise number_rules.blocked(Rule.PROCESS)

    def ask(self, check: Check, now: datetime) -> None:
        self._ask(check)

    def _owns(self, owner: Ownership) -> bool:
        shard = self.shards.get(owner.shard)
        return "epoch" not in self.checks or (shard is not None and shard.epoch == owner.epoch)

    def _write(self, owner: Ownership, before: Interaction | None, decision: Decision, now: datetime) -> int:
        after = replace(decision.interaction, version=decision.interaction.version + 1)
        self._check(after)
        stored = self.rows.get(after.id)
        self.rows[after.id] = after
        self._keep_legs(before, after)
        self._keep_work(before, after, decision, now)
        first = after.lines - len(decision.feed) + 1
        self.feed += [(after.id, first + i, line) for i, line in enumerate(decision.feed)]
        self.on_commit(Commit(owner, stored, after, decision.feed))
        return len(self.feed)

    def _check(self, it: Interaction) -> None:
        possible = {
            "assigned_while_held": it.status is Status.CLOSED or (it.assigned_to is not None) == (it.status in HELD),
            "closed_with_outcome": (it.status is Status.CLOSED) == (it.closed_at is not None),
            "outcome_at_the_end": it.status is not Status.CLOSED or it.outcome is not None,
            "callback_was_requested": it.subtype is not Subtype.CALLBACK
            or (it.request.requested_at is not None and it.number is not None),
            "promised_after_request": it.request.promised_at is None
            or it.request.requested_at is None
            or it.request.promised_at >= it.request.requested_at,
            "scheduled_is_due": it.status is not Status.SCHEDULED or it.wake_at is not None,
        }
        for name, holds in possible.items():
            if not holds:
                raise Impossible(name)
        others = [each for each in self.rows.values() if each.id != it.id]
        taken = (each for each in others if each.status in HELD and each.assigned_to == it.assigned_to)
        if "one_assignment_per_agent" in self.checks and it.status in HELD and any(taken):
            raise AgentBusy
        same = (each for each in others if pending(each) and (each.queue, each.number) == (it.queue, it.number))
        if "one_pending_callback" in self.checks and pending(it) and any(same):
            raise DuplicateCallback

    def _keep_legs(self, before: Interaction | None, after: Interaction) -> None:
        for leg in before.legs if before else ():
            if after.leg_with(leg.id) is None:
                self.legs[leg.id] = LegRow(after.id, leg, live=False)
        for leg in after.legs:
            self.legs[leg.id] = LegRow(after.id, leg, live=True)

    def _keep_work(self, before: Interaction | None, after: Interaction, decision: Decision, now: datetime) -> None:
        role = HELD.get(after.status)
        was = before.assigned_to if before and before.status in HELD else None
        if was and (role is None or was != after.assigned_to):
            agent = self.agents[was]
            if agent.work and agent.work[0] == after.id:
                agent.work, agent.idle_since = None, now
                for rests in (each for each in decision.agents if isinstance(each, NotReady)):
                    if agent.availability is Availability.READY:
                        agent.availability, agent.reason = Availability.NOT_READY, rests.reason
        if role and after.assigned_to:
            agent = self.agents[after.assigned_to]
            if agent.work is None or agent.work[0] == after.id:
                agent.work = (after.id, role)

    def pending(self, queue: str, number: str) -> UUID | None:
        return next(
            (it.id for it in self.rows.values() if pending(it) and (it.queue, it.number) == (queue, number)), None
        )

    def known_legs(self, ids: Iterable[str]) -> set[str]:
        return {leg for leg in ids if leg in self.legs}

    def due_until(self, shard: str, until: datetime) -> list[tuple[UUID, datetime]]:
        due = [(it.wake_at, it.id) for it in self.rows.values() if self.shard_of[it.id] == shard and it.wake_at]
        return [(interaction_id, at) for at, interaction_id in sorted(due) if at <= until]

    # The line

    def free_agents(self) -> list[IdleAgent]:
        return [
            IdleAgent(name, agent.idle_since, dict(agent.queues), agent.desk)
            for name, agent in sorted(self.agents.items())
            if agent.availability is Availability.READY and agent.work is None and agent.queues
        ]

    def in_line(self, queues: Iterable[str], now: datetime, most: int) -> list[Candidate]:
        line: list[Candidate] = []
        for queue in queues:
            _, process = self.switches.get(queue, (True, True))
            waiting = [
                Candidate(
                    it.id, it.queue, it.place.front, it.place.priority, it.place.queued_at, dict(it.place.excluded)
                )
                for it in self.rows.values()
                if it.queue == queue
                and it.status is Status.OPEN
                and (it.place.not_before is None or it.place.not_before <= now)
                and (process or it.subtype is not Subtype.CALLBACK)
            ]
            line += sorted(waiting, key=lambda each: each.place)[:most]
        return line

    def is_ready(self, agent: str) -> bool:
        return self.agents[agent].availability is Availability.READY

    def places(self, interactions: Iterable[Interaction]) -> dict[UUID, int]:
        found: dict[UUID, int] = {}
        for asked in interactions:
            if asked.status in IN_LINE:
                line = [it for it in self.rows.values() if it.status in IN_LINE and it.queue == asked.queue]
                line.sort(key=lambda it: (not it.place.front, -it.place.priority, it.place.queued_at, it.id))
                ids = [it.id for it in line[:MOST_PLACES]]
                found |= {asked.id: ids.index(asked.id) + 1} if asked.id in ids else {}
        return found

    # Agents

    def desk(self, agent_id: str) -> tuple[AgentPreferences, bool]:
        agent = self._agent(agent_id)
        return agent.desk, agent.work is not None

    def set_availability(self, agent_id: str, availability: Availability, reason: str | None) -> None:
        agent = self._agent(agent_id)
        if availability is Availability.READY and agent.availability is not Availability.READY:
            agent.idle_since = self.now()
        agent.availability, agent.reason = availability, reason

    def offered_interaction(self, agent_id: str) -> UUID | None:
        work = self._agent(agent_id).work
        return work[0] if work and work[1] == "offered" else None

    def sip_ha1(self, agent_id: str) -> str | None:
        return self._agent(agent_id).sip_ha1

    def sip_accounts(self, live: Iterable[str]) -> list[str]:
        known = sorted(name for name, agent in self.agents.items() if agent.sip_ha1 or name in set(live))
        return sorted(known, key=lambda name: self.agents[name].availability is Availability.LOGGED_OUT)

    def _agent(self, agent_id: str) -> Agent:
        try:
            return self.agents[agent_id]
        except KeyError:
            raise NotFound from None

    # Queues

    def version(self, name: str, version: int) -> Queue:
        return self.queues[name][version - 1]

    def by_number(self, dialled: str, written: NumberFormat = NumberFormat.AUTO) -> tuple[Queue, int] | None:
        """As it is written only: forms of numbers are not what is tried out here."""
        for versions in self.queues.values():
            if dialled in versions[-1].numbers:
                return versions[-1], len(versions)
        return None

    def current(self, name: str) -> tuple[Queue, int]:
        return self.queues[name][-1], len(self.queues[name])

    def get(self, name: str) -> Stored:
        return Stored(*self.current(name), Switches(*self.switches.get(name, (True, True))))

    # Shards

    def _shard(self, name: str) -> Shard:
        return self.shards.setdefault(name, Shard())

    def held(self, name: str) -> Held | None:
        shard = self._shard(name)
        return None if shard.until == NEVER else Held(shard.until, shard.until <= self.now())

    def take(self, name: str, owner: str, dead: Held | None = None) -> int | None:
        shard = self._shard(name)
        if shard.until not in (NEVER, dead and dead.until):
            return None
        shard.owner, shard.epoch, shard.until = owner, shard.epoch + 1, self.now() + timedelta(seconds=LEASE)
        shard.taken_at = self.now()
        return shard.epoch

    def renew(self, name: str, owner: str, epoch: int) -> bool:
        shard = self.shards.get(name, Shard())
        if (shard.owner, shard.epoch) != (owner, epoch):
            return False
        shard.until = self.now() + timedelta(seconds=LEASE)
        return True

    def release(self, name: str, owner: str, epoch: int) -> None:
        shard = self.shards.get(name, Shard())
        if (shard.owner, shard.epoch) == (owner, epoch):
            self.expire(name)

    def asterisk_life(self, name: str) -> str | None:
        return self.shards.get(name, Shard()).telephones

    def remember_asterisk_life(self, name: str, epoch: int, life: str) -> None:
        if (shard := self.shards.get(name)) and shard.epoch == epoch:
            shard.telephones = life

    def expire(self, name: str) -> None:
        """The parent saw the owner die."""
        if shard := self.shards.get(name):
            shard.until = NEVER

    # The clock

    def shift(self, name: str) -> float:
        return self._shard(name).shift

    def jumped(self, owner: Ownership, before: float, by: float, slept: float, then: datetime) -> float | None:
        shard = self._shard(owner.shard)
        if shard.epoch != owner.epoch:
            return None
        if shard.shift == before:
            shard.shift = before + by
            for agent in self.agents.values():
                if NEVER < agent.idle_since <= then:
                    agent.idle_since += timedelta(seconds=by - slept)
        return shard.shift

    def stored_before_jump(self, shard: str, shift: float, most: int) -> list[UUID]:
        living = [it for it in self.rows.values() if it.status is not Status.CLOSED]
        ids = [it.id for it in living if self.shard_of[it.id] == shard and it.shift != shift]
        return ids[:most]


def pending(it: Interaction) -> bool:
    """A callback that was asked for and is not worked on yet."""
    return it.request.requested_at is not None and it.status not in (Status.WRAP_UP, Status.CLOSED)
