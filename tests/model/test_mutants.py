"""The model test notices every bug that is planted in the SQL."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.conftest import Database
from tests.model.machine import Differs, store_on
from tests.model.mutants import MUTANTS

FIRST = settings(
    max_examples=600,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    report_multiple_bugs=False,
    print_blob=False,
)


@pytest.mark.timeout(240)
def test_every_bug_planted_in_the_sql_is_noticed(database: Database, told: list[str]) -> None:
    """By what it names; anything else that goes wrong fails."""
    found = {name: _differs(name, database) for name in MUTANTS}
    caught = [name for name, on in found.items() if on == MUTANTS[name].breaks]
    told.append(f"model test: mutants caught by what they name {len(caught)} of {len(MUTANTS)}")
    assert found == {name: each.breaks for name, each in MUTANTS.items()}


def _differs(name: str, database: Database) -> str | None:
    """On what, None when it is not noticed."""
    with MUTANTS[name].plant(database):
        try:
            run_state_machine_as_test(store_on(database), settings=FIRST)
        except Differs as difference:
            return difference.on
    return None
