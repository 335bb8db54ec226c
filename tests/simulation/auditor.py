"""Watches, separate from who makes the load: what must never be (safety), and what must come about (liveness).

It sees every commit, every command that reaches Asterisk and what the far ends count; never the service's own mind.
The numbers are those of docs/reliability.md.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from uuid import UUID

from dialplan import words
from dialplan.ari import models
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status, Subtype
from routing.core.matching import match
from tests.model.memory import HELD, Commit, Memory, pending
from tests.simulation.ari import SimulatedAri, Socket
from tests.simulation.asterisk import Asterisk, Channel
from tests.simulation.lived import Lived
from tests.simulation.world import Violation, World

ALLOWED = {
    Status.OPEN: set(Status) - {Status.WRAP_UP},
    Status.BOT: {Status.BOT, Status.OPEN, Status.CLOSED},
    Status.OFFERED: {Status.OFFERED, Status.OPEN, Status.CONNECTED, Status.SCHEDULED, Status.CLOSED},
    Status.CONNECTED: set(Status) - {Status.OFFERED},
    Status.WRAP_UP: {Status.WRAP_UP, Status.OPEN, Status.SCHEDULED, Status.CLOSED},
    Status.SCHEDULED: {Status.SCHEDULED, Status.OPEN, Status.CLOSED},
    Status.CLOSED: set(),
}
ACCEPTS = frozenset({"accepted", "picked_up", "redialled"})
ABANDONED = frozenset({"abandoned", "short_abandon"})
PROMISE = "sound:ringback/en/booked"
CLOSED_PROMISES = frozenset({"handled", "expired", "failed_max_attempts", "invalid_number", "cancelled_by_operator"})
SILENCE, SILENCE_AFTER_FAULTS = 2.0, 5.0
ALONE = 2.0
ORPHAN = 10.0
OFFERED_WITHIN = 2.0
"""Seconds."""


class Auditor:
    """Raises Violation at the step at which something is wrong. Its methods are called by the world, never by the
    service."""

    def __init__(self, world: World, memory: Memory, asterisk: Asterisk) -> None:
        self.figures: Counter[str] = Counter()
        self._world = world
        self._memory = memory
        self._asterisk = asterisk
        self._invites: Counter[str] = Counter()
        self._dialled: Counter[UUID] = Counter()
        self._accepts: Counter[UUID] = Counter()
        self._epochs: dict[str, int] = {}
        self._promised: dict[UUID, str] = {}
        self._seq: Counter[UUID] = Counter()
        self._may_call: set[tuple[str, int]] = set()
        self._could_meet: dict[tuple[UUID, str], float] = {}
        self._stored: dict[int, set[tuple[UUID, int]]] = {}
        self._lived = Lived(world, memory, asterisk, self.figures, self.fail)
        memory.on_commit = self.committed
        asterisk.witness = self

    def fail(self, invariant: str, what: str, about: Iterable[str] = ()) -> None:
        raise Violation(invariant, what, about)

    # Every commit

    def committed(self, commit: Commit) -> None:
        before, after = commit.before, commit.after
        self._world.log(_move(before, after, commit))
        self.figures["commits"] += 1
        self.figures.update(f"line {line.event}" for line in commit.feed)
        if commit.feed:
            self._stored.setdefault(commit.owner.epoch, set()).add((commit.after.id, commit.after.version))
        self._epoch(commit)
        self._lived.committed(commit)
        self._graph(commit)
        self._story(commit)
        self._attempts(after)
        self._rules(commit)
        self._agents(after)
        self._one_pending(after)
        if before:
            self._promise_kept(before, after)
            self._hang_up(before, after)
        if after.stage is Stage.TALKING and not after.assigned_to:
            self.fail("A3", f"{_name(after)} talks with nobody")

    def _epoch(self, commit: Commit) -> None:
        shard = commit.owner.shard
        if commit.owner.epoch != self._memory.shards[shard].epoch:
            self.fail("A9", f"{_name(commit.after)} was changed by the stale epoch {commit.owner.epoch}")
        if commit.owner.epoch < self._epochs.get(shard, 0):
            self.fail("A4", f"the epoch of {shard} went back to {commit.owner.epoch}")
        self._epochs[shard] = commit.owner.epoch

    def _graph(self, commit: Commit) -> None:
        before, after = commit.before, commit.after
        if before is None:
            begins = {Status.OPEN, Status.SCHEDULED} if after.subtype is Subtype.CALLBACK else {Status.OPEN}
            if after.outcome == "error" and not after.legs:  # keeps out the row of a call that was given back
                begins = {Status.CLOSED}
            if after.status not in begins or after.version != 1:
                self.fail("A4", f"{_name(after)} begins as {after.status}")
            return
        if before.status is Status.CLOSED:
            self.fail("I9", f"{_name(after)} was closed and changed")
        steps = [before.status, *(line.status for line in commit.feed if line.status), after.status]
        for one, other in pairwise(steps):
            if other is not one and other not in ALLOWED[one]:
                self.fail("A4", f"{_name(after)} went from {one} to {other}")
        if after.version != before.version + 1:
            self.fail(
                "A4", f"{_name(after)} went from version {before.version} to {after.version}: a change was lost"
            )
        if before.subtype is Subtype.CALLBACK and after.subtype is Subtype.INBOUND:
            self.fail("A4", f"{_name(after)} was a callback and is a call again")
        if before.status is not after.status and not commit.feed:
            self.fail("A4", f"{_name(after)} went from {before.status} to {after.status} without a line")

    def _story(self, commit: Commit) -> None:
        self._seq[commit.after.id] += len(commit.feed)
        if self._seq[commit.after.id] != commit.after.lines:
            self.fail(
                "A4", f"{_name(commit.after)} has {commit.after.lines} lines, told {self._seq[commit.after.id]}"
            )
        for line in commit.feed:
            if line.event == "accepted" and (
                commit.before is None or line.actor != f"agent:{commit.before.assigned_to}"
            ):
                self.fail("A10", f"{_name(commit.after)} was accepted by {line.actor}, whom it was not offered")
        self._accepts[commit.after.id] += sum(1 for line in commit.feed if line.event in ACCEPTS)

    def _attempts(self, it: Interaction) -> None:
        live = [each for each in it.attempts if each.ended_at is None]
        if len(live) > 1:
            self.fail("A2", f"{_name(it)} has {len(live)} attempts under way")
        if len(it.attempts) > self._accepts[it.id]:
            self.fail("A1", f"{_name(it)} has {len(it.attempts)} attempts, was accepted {self._accepts[it.id]} times")
        if live and it.status not in (Status.CONNECTED, Status.BOT):
            self.fail("A2", f"{_name(it)} is {it.status} with an attempt under way")
        roles = Counter(leg.role for leg in it.legs)
        if any(n > 1 for n in roles.values()):
            self.fail("A2", f"{_name(it)} has two legs of one role")

    def _rules(self, commit: Commit) -> None:
        """Which attempts no rule spoke against at some moment, by the epoch of who stored something then."""
        it = commit.after
        _, process = self._memory.switches.get(it.queue, (True, True))
        if it.attempt and process and not self._listed(it):
            self._may_call.add((it.attempt.id, commit.owner.epoch))

    def _listed(self, it: Interaction) -> bool:
        return it.number in self._memory.do_not_call

    def _agents(self, it: Interaction) -> None:
        if (it.status in HELD) != (it.assigned_to is not None) and it.status is not Status.CLOSED:
            self.fail("A2", f"{_name(it)} is {it.status} and assigned to {it.assigned_to}")
        if it.status not in HELD:
            return
        theirs = [
            each.id
            for each in self._memory.rows.values()
            if each.status in HELD and each.assigned_to == it.assigned_to
        ]
        if len(theirs) > 1:
            self.fail("A2", f"agent {it.assigned_to} has {len(theirs)} interactions")

    def _one_pending(self, it: Interaction) -> None:
        if not pending(it):
            return
        same = [
            each.id
            for each in self._memory.rows.values()
            if pending(each) and (each.queue, each.number) == (it.queue, it.number)
        ]
        if len(same) > 1:
            self.fail("A7", f"{len(same)} callbacks to one number wait in {it.queue}")

    def _promise_kept(self, before: Interaction, after: Interaction) -> None:
        if after.status is Status.CLOSED and after.request.promised_at and not self._well_closed(after):
            self.fail("A6", f"{_name(after)} was promised and closed as {after.outcome}")
        if after.id in self._promised and after.request.promised_at is None:
            self.fail("A6", f"{_name(after)} was told we would call, and the promise is gone")
        if after.subtype is Subtype.CALLBACK and after.status is Status.CLOSED and after.outcome in ABANDONED:
            self.fail("A6", f"{_name(after)}, a callback, was closed as {after.outcome}")

    def _well_closed(self, it: Interaction) -> bool:
        return it.outcome in CLOSED_PROMISES or (it.outcome == "blocked" and self._listed(it))

    def _hang_up(self, before: Interaction, after: Interaction) -> None:
        """From the key that asks for it a hang-up is a callback, unless the queue says otherwise."""
        if not before.leg(Role.CALLER) or after.leg(Role.CALLER) or before.subtype is Subtype.CALLBACK:
            return
        self.figures["callers gone"] += 1
        queue = self._memory.version(after.queue, after.queue_version)
        in_dialogue = before.stage in (Stage.CONFIRM, Stage.NUMBER_ENTRY)
        keeps = before.request.requested_at and not (in_dialogue and queue.callback.on_hangup == "abandon")
        if keeps and not (after.subtype is Subtype.CALLBACK and after.status is Status.OPEN):
            self.fail("A6", f"{_name(after)} asked to be called, hung up, and is {after.status}/{after.outcome}")
        if not before.request.requested_at and after.subtype is Subtype.CALLBACK:
            self.fail("I6", f"{_name(after)} never asked to be called and is a callback")

    def decided(self, cause: str, effects: list[str]) -> None:
        """As the service's log tells it, to be counted only."""
        self.figures[f"event {cause}"] += 1
        self.figures.update(f"effect {each}" for each in effects)

    # What Asterisk is told

    def connected(self, ari: SimulatedAri, asked_at: float) -> None:
        """A9: who does not own the shard any more does not take the application from who does."""
        self.figures["connects"] += 1
        if ari.lease and ari.epoch != self._memory.shards[words.APP].epoch and self._taken_before(asked_at):
            self.fail("A9", f"the application is taken by the stale epoch {ari.epoch}")

    def commanded(self, ari: SimulatedAri, sent_at: float, what: str, channel: Channel) -> None:
        """A9: who does not own the shard any more starts no call, and does nothing at all once it can know, because
        Asterisk's news go to it no longer. Until then Postgres may merely be away, and it sees to those on the line
        as the next owner would. Commands on their way when the shard was lost pass.

        A8: nor is a call started by who never stored anything about it at a moment the rules allowed it.
        """
        self.figures["commands"] += 1
        self.figures[f"told {what}"] += 1
        shard = self._memory.shards[words.APP]
        if ari.lease is None or not (what in ("create", "dial") or ari.out_of_contact(sent_at)):
            return
        if ari.epoch != shard.epoch and self._taken_before(sent_at):
            self.fail("A9", f"{what} {channel.id[:8]} by the stale epoch {ari.epoch}")
        if what == "dial" and channel.role == "customer":
            self._dialled_by_the_rules(channel, ari.epoch)

    def made_again(self, leg: str) -> None:
        """A1: a customer's channel that a process has made, and not hung up, it does not ask for once more."""
        self.fail("A1", f"{leg[:8]} was made, and is asked for again")

    def _dialled_by_the_rules(self, channel: Channel, epoch: int) -> None:
        row = self._memory.legs.get(channel.id)
        if row is None or channel.id not in {each.id for each in self._memory.rows[row.interaction].attempts}:
            self.fail("A1", f"{channel.id[:8]} is dialled, and no attempt is stored")
        if (channel.id, epoch) not in self._may_call:
            self.fail("A8", f"{channel.id[:8]} is dialled against the rules by epoch {epoch}")

    def _taken_before(self, sent_at: float) -> bool:
        taken = (self._memory.shards[words.APP].taken_at - self._world.wall).total_seconds() + self._world.now
        return taken < sent_at

    def reached(self, socket: Socket, event: models.AnyEvent) -> None:
        """An event is in the buffer of a process' machine."""
        self._lived.reached(socket, event)

    def answered(self, channel: Channel) -> None:
        """A far end sends its 200."""
        self._lived.answered(channel.id)

    def sent_back(self) -> None:
        self.figures["told go on in the dialplan"] += 1

    def invited(self, ari: SimulatedAri, sent_at: float, channel: Channel) -> None:
        """An INVITE leaves Asterisk."""
        self.figures[f"{channel.role}s invited"] += 1
        self._invites[channel.id] += 1
        if self._invites[channel.id] > 1 and channel.role == "customer":
            self.fail("A1", f"{self._invites[channel.id]} INVITEs under one id")
        row = self._memory.legs.get(channel.id)
        if row is None or row.leg.party != channel.party:
            self.fail(
                "A10" if channel.role == "agent" else "A1",
                f"{channel.role} {channel.id[:8]} is rung at {channel.party}, the row says {row}",
            )
            return
        self._lived.called(channel.id, ari.epoch, sent_at)
        if channel.role == "customer":
            self._customer_invited(self._memory.rows[row.interaction], channel)

    def _customer_invited(self, it: Interaction, channel: Channel) -> None:
        self._dialled[it.id] += 1
        if self._dialled[it.id] > self._accepts[it.id]:
            self.fail("A1", f"{_name(it)}: {self._dialled[it.id]} INVITEs after {self._accepts[it.id]} accepts")

    def played(self, channel: Channel, said: tuple[str, ...]) -> None:
        """A5: the promise is on disk before it is spoken."""
        if PROMISE not in said:
            return
        self.figures["promises"] += 1
        row = self._memory.legs.get(channel.id)
        it = self._memory.rows[row.interaction] if row else None
        if it is None or it.request.promised_at is None or it.request.requested_at is None:
            self.fail("A5", f"caller {channel.id[:8]} is told that we will call, and no row says so")
            return
        self._promised[it.id] = channel.id

    def bridged(self, channels: list[Channel]) -> None:
        """A3: only legs that are up, of one interaction, after it was stored that they talk."""
        homes = {self._memory.legs[each.id].interaction for each in channels if each.id in self._memory.legs}
        if len(homes) != 1 or any(each.state != "Up" for each in channels):
            states = [f"{each.role} {each.state}" for each in channels]
            about = {each.id for each in channels} | {each.hex for each in homes}
            self.fail("A3", f"joined: {', '.join(states)} of {len(homes)} interactions", about)
        self.figures["talks"] += 1

    # What must come about

    def in_calm(self) -> None:
        """Without any fault nobody hears nothing for long, and nobody is left alone in a call that is over."""
        for channel in self._asterisk.channels.values():
            if _longer(self._world, channel.silent_since, SILENCE) and channel.role == "caller":
                self.fail("L4", f"a caller hears nothing for {SILENCE} s, without any fault")
            if _longer(self._world, channel.alone_since, ALONE):
                self.fail("F6", f"a {channel.role} is left alone for {ALONE} s after the other hung up")

    def in_peace(self) -> None:
        """Called about once a second, when the faults have been over for long enough."""
        for channel in self._asterisk.channels.values():
            row = self._memory.legs.get(channel.id)
            if channel.inside and (row is None or not row.live) and _longer(self._world, channel.since, ORPHAN):
                self.fail("L3", f"{channel.role} {channel.id[:8]} belongs to nothing")
            if _longer(self._world, channel.silent_since, SILENCE_AFTER_FAULTS) and channel.role == "caller":
                self.fail("L4", f"a caller hears nothing for {SILENCE_AFTER_FAULTS} s")
        free = [each for each in self._memory.free_agents() if each.agent in self._asterisk.registered]
        line = self._memory.in_line(self._memory.queues, self._world.wall, 10)
        pairs = {(each.id, agent.agent) for each, agent in match(line, free, self._world.wall)}
        self._could_meet = {pair: self._could_meet.get(pair, self._world.now) for pair in pairs}
        for pair, since in self._could_meet.items():
            if self._world.now - since > OFFERED_WITHIN:
                self.fail("L1", f"{pair[0].hex[:8]} waits, agent {pair[1]} is free, and it is not offered")

    # In the end

    def told(self, epoch: int, told: set[tuple[UUID, int]]) -> None:
        """A12: what a process stored, and lived on, it has told whoever listens, in this version or a later one."""
        latest = {interaction: max(v for i, v in told if i == interaction) for interaction, _ in told}
        for interaction, version in self._stored.get(epoch, ()):
            self.figures["changes told"] += 1
            if latest.get(interaction, 0) < version:
                self.fail("A12", f"version {version} of {interaction.hex[:8]} was stored and never told")

    def unfinished(self) -> list[str]:
        """What is still under way; nothing, once the faults are over and everybody is friendly."""
        rows = [f"{_name(it)} is {it.status}/{it.stage}" for it in self._memory.rows.values() if not _over(it)]
        channels = [f"channel {each.role} {each.id[:8]} is {each.state}" for each in self._asterisk.channels.values()]
        work = [f"agent {name} still has {each.work}" for name, each in self._memory.agents.items() if each.work]
        return rows + channels + work

    def at_the_end(self, *, calm: bool) -> None:
        """A6, counted once more over all rows. Without a fault every attempt was one INVITE."""
        for it in self._memory.rows.values():
            if it.subtype is Subtype.CALLBACK and not self._well_closed(it):
                self.fail("A6", f"{_name(it)} ended as {it.outcome}")
            self.figures[f"closed {it.outcome}"] += 1
            for attempt in it.attempts if calm else ():
                left = attempt.outcome is Outcome.AGENT_LOST  # the agent, while the channel was made
                if self._invites[attempt.id] != 1 and not left:
                    self.fail("A1", f"{_name(it)}: an attempt that ended as {attempt.outcome} was never dialled")


def _longer(world: World, since: float | None, seconds: float) -> bool:
    return since is not None and world.now - since > seconds


def _over(it: Interaction) -> bool:
    return it.status is Status.CLOSED


def _name(it: Interaction) -> str:
    return it.id.hex[:8]


def _move(before: Interaction | None, after: Interaction, commit: Commit) -> str:
    lines = ", ".join(line.event for line in commit.feed)
    was = f"{before.status}/{before.stage or ''}" if before else "-"
    agent = f" {after.assigned_to}" if after.assigned_to else ""
    return (
        f"[{_name(after)} v{after.version} e{commit.owner.epoch}] {was} -> {after.status}/{after.stage or ''}{agent}"
        f" {after.subtype}: {lines}"
    )
