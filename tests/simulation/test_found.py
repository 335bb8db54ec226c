"""What the simulation found, each as a small story of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dialplan.phones import AsteriskPhones
from routing.core.context import Context
from routing.core.effects import AddToBridge, DialCustomer
from routing.core.events import Heard, LegGone, ServiceRestarted
from routing.core.interaction import Interaction, Role, Stage
from routing.core.lifecycle import decide
from routing.engine.engine import Engine
from tests.lifecycle.explore import QUEUE, every_move
from tests.simulation.ari import SimulatedAri
from tests.simulation.asterisk import Asterisk, Channel
from tests.simulation.auditor import Auditor
from tests.simulation.people import People
from tests.simulation.postgres import Postgres, installed
from tests.simulation.process import Process
from tests.simulation.story import quiet_ends
from tests.simulation.world import START, Runner, World

LEG = "0" * 31 + "1"
CALL = DialCustomer(LEG, "1", "+4915112345678", "600", 30.0)


@dataclass
class Line:
    """Real phones on a simulated Asterisk, without an engine. `may_call` can be changed by the story."""

    world: World
    asterisk: Asterisk
    invited: list[Channel]
    heard: list[Heard]
    may_call: bool = True
    joined: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def perform(self, effect: DialCustomer | AddToBridge, *reserved: DialCustomer) -> AsteriskPhones:
        runner = Runner(self.world, "process")
        runner.loop.set_exception_handler(lambda _, context: self.troubles.append(str(context)))
        phones = AsteriskPhones(SimulatedAri(runner, self.asterisk, None), monotonic=runner.monotonic)
        runner.loop.create_task(self._reserve_and_perform(phones, reserved, effect))
        self.world.run(self.world.now + 5)
        runner.loop.close()
        return phones

    async def _reserve_and_perform(
        self, phones: AsteriskPhones, reserved: tuple[DialCustomer, ...], effect: DialCustomer | AddToBridge
    ) -> None:
        for call in reserved:
            phones.reserve(call)
        if event := await phones.perform(effect, lambda _: self.may_call):
            self.heard.append(event)


@contextmanager
def line() -> Iterator[Line]:
    world = World(1)
    asterisk, postgres = Asterisk(world), Postgres(world)
    Auditor(world, postgres.memory, asterisk)
    People(world, asterisk, postgres.memory, lambda: None)
    made = Line(world, asterisk, [], [])
    asterisk.witness.invited = lambda _, __, channel: made.invited.append(channel)  # type: ignore[method-assign]
    asterisk.witness.commanded = lambda *_: None  # type: ignore[method-assign]
    asterisk.witness.bridged = lambda channels: made.joined.extend((each.id, each.state) for each in channels)  # type: ignore[method-assign]
    world.run(START + 1)
    yield made


def test_a_customers_leg_that_is_set_up_a_second_time_is_asked_for_once() -> None:
    with line() as it:
        asked: list[str] = []
        real = it.asterisk.obey

        def obey(ari: SimulatedAri, at: float, method: str, path: str, fields: Mapping[str, Any]) -> Any:
            asked.append(path)
            return real(ari, at, method, path, fields)

        it.asterisk.obey = obey  # type: ignore[method-assign]
        it.perform(CALL, CALL, CALL)
        assert asked.count("/channels/create") == 1 and it.troubles == []


def test_a_leg_that_was_set_up_before_an_outage_is_not_expected_for_ever_once_it_is_asked_for_again() -> None:
    with line() as it:
        phones = it.perform(replace(CALL, made=True), CALL)
        assert not phones.expects(LEG) and it.troubles == []


def test_a_call_that_was_seen_and_is_over_is_not_made_again() -> None:
    with line() as it:
        it.perform(DialCustomer(LEG, "1", "+4915112345678", "600", 30.0, made=True))
        assert it.invited == [] and it.asterisk.channels == {}


def test_after_a_restart_a_customers_leg_is_only_dialled_if_it_is_there() -> None:
    dialling = [
        move.before for move in every_move() if move.before.stage is Stage.DIALING and move.before.leg(Role.CUSTOMER)
    ]
    assert dialling
    for it in dialling:
        effects = decide(it, Context(QUEUE, it.connected_at or it.entered_at), ServiceRestarted()).effects
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
        it.perform(AddToBridge("bridge-1", ("caller", LEG)))
        assert it.joined == [("caller", "Up"), (LEG, "Up")]


def test_a_call_that_ended_while_its_row_was_adopted_is_forgotten_at_once() -> None:
    world = World(1)
    asterisk, postgres = Asterisk(world), Postgres(world)
    Auditor(world, postgres.memory, asterisk)
    people = People(world, asterisk, postgres.memory, lambda: None)
    postgres.memory.queues["support"] = [QUEUE]
    with quiet_ends(), installed():
        process = Process(world, "process", asterisk, postgres, lambda _: None)
        world.run(START + 1)
        people.call_in("+4915112345678", "600")
        world.run(START + 5)
        (read,) = postgres.memory.rows.values()
        (caller,) = asterisk.channels.values()
        assert process.engine and read.wake_at
        asterisk.ends(caller)
        world.run(START + 10)
        assert process.engine.legs() == ()
        process.request("recovery", partial(_adopt, read))
        world.run(START + 11)
        process.bury()
        assert process.engine.legs() == () and not process.engine.holds(read.id)


async def _adopt(read: Interaction, engine: Engine) -> None:
    """What recovery does with each row it has read."""
    engine.adopt(read)
    engine.tell(read.id, ServiceRestarted())


def test_who_lost_contact_while_it_slept_leaves_the_application_to_its_next_owner() -> None:
    world = World(1)
    asterisk, postgres = Asterisk(world), Postgres(world)
    Auditor(world, postgres.memory, asterisk)
    People(world, asterisk, postgres.memory, lambda: None)
    postgres.memory.queues["support"] = [QUEUE]
    with quiet_ends(), installed():
        first = Process(world, "first", asterisk, postgres, lambda _: None)
        world.run(START + 1)
        assert asterisk.app and asterisk.app.runner is first
        first.pause(9.0)
        asterisk.app.cut()
        asterisk.app = None
        second = Process(world, "second", asterisk, postgres, lambda _: None)
        world.run(START + 9)
        taken = asterisk.app
        assert taken and taken.runner is second and first.alive
        world.run(START + 15)
        assert asterisk.app is taken and second.alive and not first.alive
        first.bury()
        second.bury()
