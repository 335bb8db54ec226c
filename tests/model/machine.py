"""The same requests to the real SQL and to the model; after each of them both have to say and hold the same."""

from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from unittest.mock import patch
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing.core.agents import Availability
from routing.core.context import Context
from routing.core.errors import Conflict, RingbackError
from routing.core.events import CallerArrived, DigitPressed, Event, LegGone, Offered, TimeReached
from routing.core.interaction import AgentPreferences, Interaction
from routing.core.lifecycle import Decision, arrive, decide
from routing.core.requirements import MayCall
from routing.store import agents, interactions, number_rules, queues, shards
from routing.store.agents import Membership, Settings
from routing.store.interactions import Ownership
from routing.store.number_rules import Check
from routing.store.read import line
from tests.lifecycle.explore import QUEUE, possible
from tests.model.conftest import Database
from tests.model.memory import Agent, Memory

SHARD = "ringback-00"
NUMBERS = ("+4915112345671", "+4915112345672")
AGENTS = ("1001", "1002")
OWNERS = ("one", "other")
HANDS = {"one": "one", "one's other hand": "one", "other": "other"}
"""Two of them write for the same owner, each with what it last saw: a mailbox, and what was begun before it."""

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TABLES = (
    "feed", "assignments", "agent_states", "attempts", "legs", "interactions", "tokens", "agent_queues", "agents",
    "queue_numbers", "answered_numbers", "own_numbers", "queue_versions", "queues", "do_not_call", "shards",
)  # fmt: skip
EMPTY = "; ".join(f"DELETE FROM {table}" for table in TABLES)
DAY = 86400.0
MOST_CALLS = 4

owners = st.sampled_from(OWNERS)
hands = st.sampled_from(("one", "one", "one's other hand", "other"))
seconds = st.sampled_from((0.05, 3, 40))
names = st.sampled_from(AGENTS)
some = st.integers(0, 999)
MOSTLY = st.sampled_from((True, True, True, True, False))


SETTINGS = (*Availability, "switch", "list", "version")


class Differs(AssertionError):
    """Postgres and the model do not agree; `on` says on what."""

    def __init__(self, on: str, real: object, model: object) -> None:
        super().__init__(f"{on}: Postgres: {real}, the model: {model}")
        self.on = on


def same(on: str, real: object, model: object) -> None:
    if real != model:
        raise Differs(on, real, model)


class StoreMachine(RuleBasedStateMachine):
    """`database` is set by whoever runs it. Each hand keeps the rows as it last saw them, and acts on that.

    `reached` counts the rules that were followed and how the statements ended.
    """

    database: ClassVar[Database]
    reached: ClassVar[Counter[str]]

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.model = Memory(lambda: NOW)
        self.calls = 0
        self.epochs = dict.fromkeys(OWNERS, 0)
        self.seen: dict[str, dict[UUID, Interaction]] = {hand: {} for hand in HANDS}
        self.db = self.database.run
        self.pool = self.database.pool
        self.database.execute(EMPTY)
        self._put_queue()
        for name in AGENTS:
            self.db(agents.put(self.pool, name, Settings(queues=(Membership(QUEUE.name),))))
            self.model.agents[name] = Agent(AgentPreferences(), {QUEUE.name: 0})

        self.take("one")

    def _put_queue(self, title: str = "") -> None:
        queue = QUEUE.model_copy(update={"title": title})
        self.db(queues.put(self.pool, queue))
        self.model.queues.setdefault(QUEUE.name, []).append(queue)

    def both(self, statement: str, real: Coroutine[Any, Any, Any], model: Callable[[], Any]) -> Any:
        """What both answer, or None when both refuse alike."""
        try:
            answer, refusal = self.db(real), None
        except (RingbackError, Conflict, number_rules.Stale) as error:
            answer, refusal = None, (type(error), getattr(error, "rule", None))
        try:
            model()
            expected_refusal = None
        except (RingbackError, Conflict, number_rules.Stale) as error:
            expected_refusal = (type(error), getattr(error, "rule", None))
        same("answers", refusal, expected_refusal)
        self.reached[f"{statement}: {_outcome(refusal)}"] += 1
        return answer

    # Owners

    @rule(owner=owners, what=st.sampled_from(("take", "take", "renew", "release", "expire")))
    def own(self, owner: str, what: str) -> None:
        self.reached[f"own: {what}"] += 1
        getattr(self, what)(owner)

    def take(self, owner: str) -> None:
        with patch.object(shards, "LEASE", DAY):
            epoch = self.both("take", shards.take(self.pool, SHARD, owner), lambda: self.model.take(SHARD, owner))
        same("epochs", epoch, self.model.shards[SHARD].epoch if epoch else None)
        self.reached["taken" if epoch else "not taken"] += 1
        self.epochs[owner] = epoch or self.epochs[owner]

    def renew(self, owner: str) -> None:
        epoch = self.epochs[owner]
        with patch.object(shards, "LEASE", DAY):
            still = self.db(shards.renew(self.pool, SHARD, owner, epoch))
        same("renewals", still, self.model.renew(SHARD, owner, epoch))
        self.reached["renewed" if still else "not renewed"] += 1

    def release(self, owner: str) -> None:
        self.db(shards.release(self.pool, SHARD, owner, self.epochs[owner]))
        self.model.release(SHARD, owner, self.epochs[owner])

    def expire(self, owner: str) -> None:
        self.database.execute("UPDATE shards SET until = '-infinity'")
        self.model.expire(SHARD)

    # Interactions

    @precondition(lambda self: self.calls < MOST_CALLS)
    @rule(hand=hands, number=st.sampled_from((*NUMBERS, None)))
    def call(self, hand: str, number: str | None) -> None:
        self.reached["rule: call"] += 1
        self._later(1)
        self.calls += 1
        event = CallerArrived(f"1700000000.{self.calls}", "600", number)
        queue, version = self.model.current(QUEUE.name)
        decision = arrive(UUID(int=self.calls), Context(queue, self.now), version, event)
        stored = self._store(hand, None, decision, None)
        if stored:
            self.seen[hand][decision.interaction.id] = self.model.load(decision.interaction.id)

    @precondition(lambda self: self.calls < MOST_CALLS)
    @rule(hand=hands, number=st.sampled_from(NUMBERS), offered_to=st.sampled_from((*AGENTS, None)))
    def ask_for_callback(self, hand: str, number: str, offered_to: str | None) -> None:
        """The usual way of an interaction, which chance alone seldom finds."""
        self.reached["rule: ask for callback"] += 1
        self.call(hand, number)
        interaction_id, leg = UUID(int=self.calls), f"1700000000.{self.calls}"
        usual: list[Event] = [TimeReached(), TimeReached(), TimeReached(), DigitPressed(leg, "2"), LegGone(leg)]
        for event in [*usual, *([Offered(offered_to)] if offered_to else [])]:
            self._later(70)
            if interaction_id in self.seen[hand]:
                self._event(hand, self.seen[hand][interaction_id], event)

    @precondition(lambda self: self.calls < MOST_CALLS - 1)
    @rule(hand=hands, number=st.sampled_from(NUMBERS), other=st.sampled_from(NUMBERS), agent=names)
    def ask_twice(self, hand: str, number: str, other: str, agent: str) -> None:
        """One number may wait once, and one agent may have one."""
        self.reached["rule: ask twice"] += 1
        self.ask_for_callback(hand, number, agent)
        self.ask_for_callback(hand, other, agent)

    @precondition(lambda self: self.calls < MOST_CALLS)
    @rule(hand=hands, number=st.sampled_from(NUMBERS), against=st.sampled_from(("switch", "list")))
    def ask_against_a_rule(self, hand: str, number: str, against: str) -> None:
        """The number rules speak against it when it is to be promised."""
        self.reached["rule: ask against a rule"] += 1
        self.switch(register=against != "switch", process=True)
        self.list_number(number, off_the_list=against != "list")
        self.ask_for_callback(hand, number, None)
        self.switch(register=True, process=True)
        self.list_number(number, off_the_list=True)

    @precondition(lambda self: any(self.seen.values()))
    @rule(
        hand=hands, which=some, story=st.lists(st.tuples(some, seconds), min_size=1, max_size=4), again=st.booleans()
    )
    def happen(self, hand: str, which: int, story: list[tuple[int, float]], again: bool) -> None:
        """Something happens to an interaction, as one of them sees it, who may be behind."""
        self.reached["rule: happen"] += 1
        ids = sorted({each for seen in self.seen.values() for each in seen}, key=str)
        interaction_id = ids[which % len(ids)]
        if again or interaction_id not in self.seen[hand]:
            self.seen[hand][interaction_id] = self.db(interactions.load(self.pool, interaction_id))
        for what, after in story:
            before = self.seen[hand][interaction_id]
            self._later(after)
            choices: list[tuple[Event, datetime]] = list(possible(before, self.now))
            event, at = choices[what % len(choices)]
            self.now = max(self.now, at)
            self._event(hand, before, event)

    @precondition(lambda self: any(self.seen.values()))
    @rule(which=some, first=some, second=some)
    def race(self, which: int, first: int, second: int) -> None:
        """Two writers of one owner, who have read the same."""
        self.reached["rule: race"] += 1
        ids = sorted({each for seen in self.seen.values() for each in seen}, key=str)
        it = self.db(interactions.load(self.pool, ids[which % len(ids)]))
        choices: list[tuple[Event, datetime]] = list(possible(it, self.now))
        for hand, what in (("one", first), ("one's other hand", second)):
            event, at = choices[what % len(choices)]
            self.now = max(self.now, at)
            self._event(hand, it, event)

    def _event(self, hand: str, before: Interaction, event: Event) -> None:
        try:
            queue = self.model.version(before.queue, before.queue_version)
            decision = decide(before, Context(queue, self.now), event)
        except RingbackError:
            return
        if decision.ignored or (decision.interaction == before and not decision.effects):
            return
        if self._store(hand, before, decision, self._check(decision)):
            self.seen[hand][before.id] = self.model.load(before.id)

    def _store(self, hand: str, before: Interaction | None, decision: Decision, check: Check | None) -> bool:
        ownership, now, pool, model = Ownership(SHARD, self.epochs[HANDS[hand]]), self.now, self.pool, self.model
        if before is None:
            real = interactions.create(pool, ownership, decision, now, check)
            cursor = self.both("create", real, lambda: model.create(ownership, decision, now, check))
        else:
            real = interactions.save(pool, ownership, before, decision, now, check)
            cursor = self.both("save", real, lambda: model.save(ownership, before, decision, now, check))
        return cursor is not None

    def _check(self, decision: Decision) -> Check | None:
        call = next((each for each in decision.requires if isinstance(each, MayCall)), None)
        if call is None:
            return None
        _, version = self.model.current(call.queue)
        unlimited = dict.fromkeys(
            ("requests_per_number", "requests_per_source", "requests_per_prefix", "dials_per_number")
        )
        return Check(call.moment, call.queue, version, call.number, None, False, 1000, **unlimited)

    def _later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # What people set

    @rule(what=st.sampled_from(SETTINGS), name=names, number=st.sampled_from(NUMBERS), one=MOSTLY, other=MOSTLY)
    def set(self, what: object, name: str, number: str, one: bool, other: bool) -> None:
        """Chance makes fewer of these: an example is to get somewhere."""
        self.reached[f"set: {what}"] += 1
        match what:
            case Availability():
                self.choose(name, what)
            case "switch":
                self.switch(one, other)
            case "list":
                self.list_number(number, one)
            case _:
                self.change_queue()

    def choose(self, name: str, availability: Availability) -> None:
        self.db(agents.set_availability(self.pool, name, availability, None))
        self.model.set_availability(name, availability, None)

    def switch(self, register: bool, process: bool) -> None:
        self.db(queues.switch(self.pool, QUEUE.name, register=register, process=process))
        self.model.switches[QUEUE.name] = (register, process)

    def list_number(self, number: str, off_the_list: bool) -> None:
        if not off_the_list:
            self.db(number_rules.do_not_call(self.pool, number, "admin", None))
            self.model.do_not_call.add(number)
        else:
            self.db(number_rules.may_call_again(self.pool, number, "admin"))
            self.model.do_not_call.discard(number)

    def change_queue(self) -> None:
        self._put_queue(f"version {len(self.model.queues[QUEUE.name]) + 1}")

    # What has to be the same

    @invariant()
    def same_rows(self) -> None:
        if not hasattr(self, "model"):
            return
        for interaction_id, expected in self.model.rows.items():
            same("rows", self.db(interactions.load(self.pool, interaction_id)), expected)
        living, unread = self.db(interactions.load_living(self.pool, SHARD))
        same("living", {it.id for it in living}, {it.id for it in self.model.load_living(SHARD)[0]})
        same("unread", unread.legs, frozenset())

    @invariant()
    def same_line(self) -> None:
        if not hasattr(self, "model"):
            return
        later = self.now + timedelta(seconds=60)
        real = self.db(line.in_line(self.pool, [QUEUE.name], later, 50))
        same("the line", real, self.model.in_line([QUEUE.name], later, 50))
        rows = list(self.model.rows.values())
        same("places", self.db(line.places(self.pool, rows)), self.model.places(rows))
        due = self.db(interactions.due_until(self.pool, SHARD, later))
        same("what is due", sorted(due), sorted(self.model.due_until(SHARD, later)))

    @invariant()
    def same_agents(self) -> None:
        if not hasattr(self, "model"):
            return
        free = {(each.agent, each.desk) for each in self.db(line.free_agents(self.pool))}
        same("free agents", free, {(each.agent, each.desk) for each in self.model.free_agents()})
        for name in AGENTS:
            same("desks", self.db(agents.desk(self.pool, name)), self.model.desk(name))
            offered = self.db(agents.offered_interaction(self.pool, name))
            same("offers", offered, self.model.offered_interaction(name))
            stored, expected = self.db(agents.get(self.pool, name)), self.model.agents[name]
            same("availability", (stored.availability, stored.reason), (expected.availability, expected.reason))

    @invariant()
    def same_legs(self) -> None:
        if not hasattr(self, "model"):
            return
        asked = [*self.model.legs, "unheard-of"]
        same("legs", self.db(interactions.known_legs(self.pool, asked)), self.model.known_legs(asked))


def _outcome(refusal: tuple[type, str | None] | None) -> str:
    if refusal is None:
        return "done"
    kind, rule = refusal
    return f"{kind.__name__} {rule}" if rule else kind.__name__


def store_on(database: Database) -> type[StoreMachine]:
    """With nothing counted yet."""
    return type("Store", (StoreMachine,), {"database": database, "reached": Counter()})
