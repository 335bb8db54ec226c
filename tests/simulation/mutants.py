"""Planted bugs, each a small patch in memory. A harness that lets one of them live is not worth much.

`MUTANTS` are run by the simulation (test_mutants.py). Those of the SQL itself are in tests/model/mutants.py.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from dialplan import listen, phones
from dialplan.ari import models
from routing.core.effects import DialCustomer, PlayPrompt, StartMusic
from routing.core.events import OfferAccepted, ServiceRestarted
from routing.core.interaction import AgentPreferences, Attempt, Deadline, Interaction, Leg, Role, Status
from routing.core.lifecycle import Change, change, closing, connecting, line, offered
from routing.core.lifecycle import open as open_
from routing.core.lifecycle.decide import _AT, _WHEN
from routing.core.requirements import Requirement, required
from routing.engine.acting import Actor
from routing.engine.deciding import Decider
from routing.engine.due import DueRows
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.engine.mailbox import Mailbox
from routing.engine.recovery import recovery
from routing.engine.recovery.sweeping import Sweeper
from routing.engine.timers import Timers
from tests.model.memory import Memory
from tests.simulation import faults
from tests.simulation.faults import Faults
from tests.simulation.postgres import Postgres

Mutant = Callable[[], AbstractContextManager[Any]]


def _without_check(name: str) -> Mutant:
    """The store lets through what a constraint or a condition would have stopped."""

    @contextmanager
    def mutated() -> Iterator[None]:
        real = Memory.__init__

        def begin(self: Memory, *arguments: Any) -> None:
            real(self, *arguments)
            self.checks.discard(name)

        with patch.object(Memory, "__init__", begin):
            yield

    return mutated


def _act_before_commit(kind: type) -> Mutant:
    """An effect leaves before the state that caused it is stored."""

    @contextmanager
    def mutated() -> Iterator[None]:
        real = Decider._save

        async def save(self: Decider, box: Any, before: Interaction, decision: Any, *more: Any) -> int:
            for effect in decision.effects:
                if isinstance(effect, kind):
                    await self._act(effect)
            return await real(self, box, before, decision, *more)

        with patch.object(Decider, "_save", save):
            yield

    return mutated


def _instead(owner: Any, name: str, new: Any) -> Mutant:
    return lambda: patch.object(owner, name, new)


def _drop_without_hanging_up(self: Change, role: Role) -> None:
    if leg := self.leg(role):
        self.forget(leg)


_real_new_leg = Change.new_leg


def _the_same_leg_again(self: Change, role: Role, party: str) -> Leg:
    if role is not Role.CUSTOMER:
        return _real_new_leg(self, role, party)
    leg = Leg(self.it.new_id(role, 0), role, party)
    self.set(legs=(*self.it.legs, leg))
    return leg


def _same_attempt_again() -> AbstractContextManager[Any]:
    """A redial goes out under the old attempt's id, which is taken up again."""

    def replaced(self: Change, **fields: Any) -> None:
        if "attempts" in fields:
            byid: dict[str, Attempt] = {each.id: each for each in fields["attempts"]}
            fields["attempts"] = tuple(byid.values())
        real(self, **fields)

    real = Change.set
    stack = ExitStack()
    stack.enter_context(patch.object(Change, "new_leg", _the_same_leg_again))
    stack.enter_context(patch.object(Change, "set", replaced))
    return stack


_real_dial = connecting.dial


def _dial_without_attempt(c: Change) -> None:
    known = c.it.attempts
    _real_dial(c)
    if known:
        c.set(attempts=known)


def _open_accepts_anyone(c: Change, event: Any) -> None:
    match event:
        case OfferAccepted(agent):
            c.set(assigned_to=agent, desk=AgentPreferences())
            connecting.accept(c, "api")
        case _:
            open_.when_open(c, event)


def _adopt_without_timers(self: Engine, it: Interaction) -> None:
    box = self._box(it.id)
    if box.idle:
        box.interaction = it
    self._legs.follow(None, it)


@contextmanager
def _timers_never_again() -> Iterator[None]:
    """After a recovery nothing is woken any more, neither by adopting rows nor by looking at the table."""

    async def nothing_due(self: DueRows) -> None:
        await asyncio.Event().wait()

    with patch.object(Engine, "adopt", _adopt_without_timers), patch.object(DueRows, "watch", nothing_due):
        yield


@contextmanager
def _lease_does_not_matter() -> Iterator[None]:
    """It shows when a process was away for a while; so all faults are of that kind."""

    async def yes(self: Lease) -> bool:
        return True

    away = ("pause", "postgres cut")
    with (
        patch.object(faults, "OWNERS", away),
        patch.object(faults, "KINDS", away),
        patch.object(faults, "LONGEST", 25.0),
        patch.object(Lease, "valid", property(lambda self: True)),
        patch.object(Lease, "may_act", yes),
    ):
        yield


@contextmanager
def _often_away() -> Iterator[None]:
    away = ("pause", "pause", "postgres cut", "websocket cut", "rival")
    with (
        patch.object(faults, "OWNERS", away),
        patch.object(faults, "KINDS", away),
        patch.object(faults, "LONGEST", 25.0),
    ):
        yield


@contextmanager
def _connects_without_asking() -> Iterator[None]:
    async def yes(self: Lease) -> bool:
        return True

    with _often_away(), patch.object(Lease, "confirmed", yes):
        yield


@contextmanager
def _goes_on_when_replaced() -> Iterator[None]:
    """Whoever has the shard: what is in hand is finished."""

    async def yes(self: Lease) -> bool:
        return True

    async def stop(self: Engine) -> None:
        self.halt()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3)
        await self.lease.release()

    with _often_away(), patch.object(Lease, "may_act", yes), patch.object(Engine, "stop", stop):
        yield


_real_event = listen.event


def _deaf_to_ends(item: Any) -> Any:
    return None if isinstance(item, models.ChannelDestroyed | models.StasisEnd) else _real_event(item)


@contextmanager
def _unseen_ends_unnoticed() -> Iterator[None]:
    async def sees_nothing(self: Sweeper, alive: Any) -> None:
        return

    missed = patch.object(recovery, "missed", lambda *_, **__: [ServiceRestarted()])
    with missed, patch.object(Sweeper, "look", sees_nothing):
        yield


async def _never_settled(self: Decider, box: Any, given_up: Any) -> None:
    box.unsure = None


def _not_asked_again(before: Interaction, after: Interaction, _: Any) -> tuple[Requirement, ...]:
    return required(before, after, ())


_real_perform = Actor._perform


async def _no_music(self: Actor, effect: Any, since: float, *, late: bool) -> None:
    if not isinstance(effect, StartMusic):
        await _real_perform(self, effect, since, late=late)


def _timer_forgets(self: Timers, interaction_id: Any, at: Any) -> None:
    if before := self._timers.pop(interaction_id, None):
        before.cancel()


async def _dial_at_once(self: phones.AsteriskPhones, leg: str, endpoint: str, variables: dict[str, str]) -> Any:
    """Without waiting for the channel to be in our application."""
    request = self._ari.channels.create(
        endpoint=endpoint, app="ringback-00", app_args="leg", channel_id=leg, variables=variables
    )
    await self._ari.create_or_adopt(leg, request)
    return 0.0, 0.0


def _reserve_again(self: phones.AsteriskPhones, call: DialCustomer) -> None:
    """A decision that is tried again does not find what it began."""
    self._reserved[call.leg] = asyncio.create_task(self._create_customer(call))


def _woken_at_once(self: Timers, interaction_id: Any, *_: Any) -> None:
    self._timers.pop(interaction_id, None)
    self._wake(interaction_id)


@contextmanager
def _deadlines_first() -> Iterator[None]:
    """After a stall, and before envelopes that wait."""
    with (
        patch.object(faults, "OWNERS", ("pause",)),
        patch.object(faults, "KINDS", ("pause",)),
        patch.object(Faults, "_successor", lambda self: None),
        patch.object(Timers, "_due", _woken_at_once),
        patch.object(Mailbox, "has_news", False),
    ):
        yield


@contextmanager
def _epoch_of_the_snapshot() -> Iterator[None]:
    """The epoch is read as a statement begins: one that waited for a row is not asked again."""
    real = Postgres.waits

    def waits(self: Postgres, name: str, arguments: tuple[Any, ...], statement: Callable[[], None]) -> bool:
        was_ours = name == "save" and self.memory._owns(arguments[0])

        def by_the_snapshot() -> None:
            self.memory.checks -= {"epoch"} if was_ours else set()
            statement()
            self.memory.checks.add("epoch")

        return real(self, name, arguments, by_the_snapshot)

    def often(self: Faults) -> list[Any]:
        return [each.id for each in self._postgres.memory.rows.values() if each.status is not Status.CLOSED]

    away = ("row locked", "row locked", "pause", "rival", "stop")
    with (
        patch.object(Postgres, "waits", waits),
        patch.object(Faults, "_rows", often),
        patch.object(faults, "OWNERS", away),
        patch.object(faults, "KINDS", away),
    ):
        yield


class Planted(NamedTuple):
    """`names`: the invariants this bug breaks, one of which has to be noticed first."""

    names: str
    plant: Mutant

    @property
    def breaks(self) -> frozenset[str]:
        return frozenset(self.names.split())


MUTANTS: dict[str, Planted] = {
    "deadlines come before what was done in time": Planted("A11", _deadlines_first),
    "the epoch is that of the statement's snapshot": Planted("A9", _epoch_of_the_snapshot),
    "the save ignores version and status": Planted("A4 I9", _without_check("cas")),
    "the save ignores the epoch": Planted("A9", _without_check("epoch")),
    "two callbacks may wait for one number": Planted("A7", _without_check("one_pending_callback")),
    "an agent may have two interactions": Planted("A2", _without_check("one_assignment_per_agent")),
    "the promise is spoken before it is stored": Planted("A5", _act_before_commit(PlayPrompt)),
    "the customer is dialled before it is stored": Planted("A1", _act_before_commit(DialCustomer)),
    "the other party is not hung up": Planted("F6 L3 L4", _instead(Change, "drop", _drop_without_hanging_up)),
    "a redial takes up the old attempt": Planted("A1", _same_attempt_again),
    "a retry dials without an attempt": Planted("A1", _instead(connecting, "dial", _dial_without_attempt)),
    "accepting does not ask to whom it is offered": Planted(
        "A10", _instead(offered, "_check", lambda c, agent: None)
    ),
    "what is not offered can be accepted": Planted(
        "A10", lambda: patch.dict(_WHEN, {Status.OPEN: _open_accepts_anyone})
    ),
    "a hang-up after the key abandons": Planted("A6", _instead(line, "convert", closing.abandon)),
    "nothing is woken after a recovery": Planted("L2", _timers_never_again),
    "no timer is ever set": Planted("L2", _instead(Timers, "set", _timer_forgets)),
    "calls are started without a lease": Planted("A9", _lease_does_not_matter),
    "who was replaced goes on": Planted("A9", _goes_on_when_replaced),
    "the application is taken without asking": Planted("A9", _connects_without_asking),
    "ends of channels are not heard": Planted("F6 L4 A11", _instead(listen, "event", _deaf_to_ends)),
    "what ended unseen is never noticed": Planted("L2 L3", _unseen_ends_unnoticed),
    "an unconfirmed commit counts as failed": Planted("A12 L3 L4", _instead(Decider, "_settled", _never_settled)),
    "a dial after a restart asks no rule": Planted("A8", _instead(change, "required", _not_asked_again)),
    "music never comes": Planted("L4", _instead(Actor, "_perform", _no_music)),
    "after-call work never ends": Planted("L2", lambda: patch.dict(_AT, {Deadline.WRAP_UP: lambda c: None})),
    "a channel is dialled before it has started": Planted(
        "A1 A11", _instead(phones.AsteriskPhones, "_create", _dial_at_once)
    ),
    "a customer's leg is reserved twice": Planted("A1", _instead(phones.AsteriskPhones, "reserve", _reserve_again)),
}
