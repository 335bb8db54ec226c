"""Bugs planted on purpose, to see that the simulation notices them; without them it passes (test_simulation.py).

Each has to break an invariant that it names. One that breaks anything else, the harness say, has shown nothing.
"""

import pytest

from tests.simulation.batch import first_catch, workers
from tests.simulation.mutants import MUTANTS

MOST_SEEDS = 400


@pytest.mark.timeout(300)
def test_every_planted_bug_is_noticed(told: list[str]) -> None:
    with workers() as pool:
        caught = dict(zip(MUTANTS, pool.map(first_catch, MUTANTS, [MOST_SEEDS] * len(MUTANTS)), strict=True))
    found = {name: report for name, report in caught.items() if report and report.invariant in MUTANTS[name].breaks}
    told.append(f"simulation: mutants caught by an invariant they name {len(found)} of {len(caught)}")
    told += [
        f"  {name}: seed {report.seed}, {str(report.violation).splitlines()[0]}" for name, report in found.items()
    ]
    missed = {name: report for name, report in caught.items() if name not in found}
    assert not missed, "\n\n".join(f"{name}: {report or 'not noticed'}" for name, report in missed.items())
