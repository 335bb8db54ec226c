"""Bugs planted on purpose, to see that the simulation notices them; without them it passes (test_simulation.py)."""

import pytest

from tests.simulation.batch import first_catch, workers
from tests.simulation.mutants import MUTANTS

MOST_SEEDS = 300


@pytest.mark.timeout(300)
def test_every_planted_bug_is_noticed(told: list[str]) -> None:
    with workers() as pool:
        caught = dict(zip(MUTANTS, pool.map(first_catch, MUTANTS, [MOST_SEEDS] * len(MUTANTS)), strict=True))
    found = {name: report for name, report in caught.items() if report}
    told.append(f"simulation: mutants caught {len(found)} of {len(caught)}")
    told += [
        f"  {name}: seed {report.seed}, {str(report.violation).splitlines()[0]}" for name, report in found.items()
    ]
    assert found.keys() == caught.keys(), f"not noticed: {sorted(caught.keys() - found.keys())}"
