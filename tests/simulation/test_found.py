"""What the simulation found, each as a small story of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dialplan.phones import AsteriskPhones
from routing.effects import DialCustomer, Join
from routing.events import LegGone, NetworkEvent, ServiceRestarted
from routing.interaction import Role, Stage
from routing.lifecycle import decide
from routing.lifecycle.explore import QUEUE, moves
from tests.simulation.ari import SimulatedAri
from tests.simulation.asterisk import Asterisk, Channel
from tests.simulation.auditor import Auditor
from tests.simulation.people import People
from tests.simulation.postgres import Postgres
from tests.simulation.world import START, Runner, World

LEG = "0" * 31 + "1"
CALL = DialCustomer(LEG, "1", "+4915112345678", "600", 30.0)


@dataclass
class Line:
    """Real phones on a simulated Asterisk, without an engine. `may_call` can be changed by the story."""

    world: World
    asterisk: Asterisk
    invited: list[Channel]
    heard: list[NetworkEvent]
    may_call: bool = True

    def perform(self, effect: DialCustomer | Join) -> None:
        runner = Runner(self.world, "process")
        phones = AsteriskPhones(
            SimulatedAri(runner, self.asterisk, None), lambda _, event: self.heard.append(event),
            may_call=lambda: self.may_call, monotonic=self.world.monotonic,
        )  # fmt: skip
        runner.loop.create_task(phones.perform(effect))
        self.world.run(self.world.now + 5)
        runner.loop.close()


@contextmanager
def line() -> Iterator[Line]:
    world = World(1)
    asterisk, postgres = Asterisk(world), Postgres(world)
    Auditor(world, postgres.memory, asterisk)
    People(world, asterisk, postgres.memory, lambda: None)
    made = Line(world, asterisk, [], [])
    asterisk.witness.invited = made.invited.append  # type: ignore[method-assign]
    asterisk.witness.commanded = lambda *_: None  # type: ignore[method-assign]
    asterisk.witness.bridged = lambda *_: None  # type: ignore[method-assign]
    world.run(START + 1)
    yield made


def test_a_call_that_was_seen_and_is_over_is_not_made_again() -> None:
    with line() as it:
        it.perform(DialCustomer(LEG, "1", "+4915112345678", "600", 30.0, made=True))
        assert it.invited == [] and it.asterisk.channels == {}


def test_after_a_restart_a_customers_leg_is_only_dialled_if_it_is_there() -> None:
    dialling = [
        move.before for move in moves() if move.before.stage is Stage.DIALING and move.before.leg(Role.CUSTOMER)
    ]
    assert dialling
    for it in dialling:
        effects = decide(it, QUEUE, ServiceRestarted(), it.connected_at or it.entered_at).effects
        assert all(each.made for each in effects if isinstance(each, DialCustomer))


def test_who_lost_the_lease_while_a_channel_was_made_does_not_dial_it() -> None:
    with line() as it:
        it.may_call = False
        it.asterisk.channels[LEG] = Channel(LEG, "customer", CALL.number, entered=True, inside=True)
        it.perform(CALL)
        assert it.invited == [] and it.heard == [LegGone(LEG, refused=True, certain=False)]


def test_a_caller_whose_answer_got_lost_is_answered_when_an_agent_comes() -> None:
    with line() as it:
        caller = Channel("caller", "caller", "", state="Ring", inside=True)
        agent = Channel(LEG, "agent", "1001", state="Up", inside=True)
        it.asterisk.channels = {each.id: each for each in (caller, agent)}
        it.perform(Join("bridge-1", ("caller", LEG)))
        assert caller.state == "Up" and caller.bridge == agent.bridge == "bridge-1"
