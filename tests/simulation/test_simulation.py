"""The whole service but its wires, in virtual time, through faults and accidents drawn from seeds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.batch import live_through
from tests.simulation.story import run

ROOT = Path(__file__).parents[2]


@pytest.mark.every_seed
def test_no_seed_breaks_an_invariant(
    pytestconfig: pytest.Config, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if (seed := pytestconfig.getoption("seed", None)) is not None:
        with capsys.disabled():
            report = run(seed, verbose=True)
        assert report.violation is None, f"step {report.steps}: {report.violation}"
        return
    batch = live_through(1, pytestconfig.getoption("seeds", 1000))
    told.append(str(batch))
    assert not batch.failed, "\n\n".join(map(str, batch.failed))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_the_same_seed_tells_the_same_story_in_every_process(seed: int) -> None:
    here = run(seed)
    assert here.trace == run(seed).trace and len(here.trace) > 5
    program = f"from tests.simulation.story import run; print('\\n'.join(run({seed}).trace))"
    there = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert there.stdout.splitlines() == here.trace


def test_different_seeds_tell_different_stories() -> None:
    assert run(21).trace != run(22).trace


def test_a_run_that_fails_tells_how_to_see_it_again() -> None:
    from tests.simulation.batch import first_catch

    caught = first_catch("the promise is spoken before it is stored", 50)
    assert caught and caught.violation and caught.violation.startswith("A5")
    assert f"--seed {caught.seed}" in str(caught) and f"step {caught.steps}" in str(caught)
