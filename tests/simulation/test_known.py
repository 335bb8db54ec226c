"""Which violations are excused, and that nothing beside them is."""

from uuid import UUID

import pytest

from dialplan import words
from tests.simulation.ari import SimulatedAri
from tests.simulation.asterisk import Asterisk, Channel
from tests.simulation.auditor import Auditor
from tests.simulation.known import known
from tests.simulation.postgres import Postgres
from tests.simulation.world import Runner, Violation, World

IT, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def world() -> World:
    return World(1)


def test_a_talk_with_a_row_that_was_given_up_is_the_known_race_and_with_any_other_is_not(world: World) -> None:
    postgres = Postgres(world)
    auditor = Auditor(world, postgres.memory, Asterisk(world))
    postgres.made_late.add(IT.hex)
    assert known(Violation("A3", "joined", {IT.hex}), auditor, postgres)
    assert known(Violation("A3", "joined", {OTHER.hex}), auditor, postgres) is None
    assert known(Violation("A2", "busy", {IT.hex}), auditor, postgres) is None


def test_a_talk_with_a_phone_that_was_rung_again_is_the_known_race_and_with_any_other_is_not(world: World) -> None:
    postgres, asterisk = Postgres(world), Asterisk(world)
    auditor, process = Auditor(world, postgres.memory, asterisk), Runner(world, "process")
    ari = SimulatedAri(process, asterisk, None)
    postgres.memory.take(words.APP, "process")
    for leg in ("again", "again", "once"):
        auditor.commanded(ari, 0.0, "create", Channel(leg, "agent", "1001"))
    process.loop.close()
    assert known(Violation("A3", "joined", {"again"}), auditor, postgres)
    assert known(Violation("A3", "joined", {"once"}), auditor, postgres) is None
