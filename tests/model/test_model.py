"""The real SQL does what the model says, whatever is asked of it in whatever order; and planted bugs are noticed."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.conftest import Database
from tests.model.machine import StoreMachine
from tests.model.mutants import MUTANTS

FULL = settings(max_examples=40, stateful_step_count=20, suppress_health_check=list(HealthCheck))
FIRST = settings(FULL, max_examples=150, phases=[Phase.generate], report_multiple_bugs=False, print_blob=False)


def machine(database: Database) -> type[StoreMachine]:
    return type("Store", (StoreMachine,), {"database": database})


@pytest.mark.timeout(240)
def test_the_store_does_what_the_model_says(database: Database) -> None:
    run_state_machine_as_test(machine(database), settings=FULL)


@pytest.mark.timeout(240)
def test_every_bug_planted_in_the_sql_is_noticed(database: Database, told: list[str]) -> None:
    caught = [name for name in MUTANTS if _noticed(name, database)]
    told.append(f"model test: mutants caught {len(caught)} of {len(MUTANTS)}")
    assert caught == list(MUTANTS)


def _noticed(name: str, database: Database) -> bool:
    with MUTANTS[name](database), suppress(AssertionError):
        run_state_machine_as_test(machine(database), settings=FIRST)
        return False
    return True
