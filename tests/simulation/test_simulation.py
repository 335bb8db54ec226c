"""The whole service but its wires, in virtual time, through faults and accidents drawn from seeds."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from routing.core.effects import Effect
from routing.core.events import CallbackRequested, CallerArrived, Event
from tests.simulation import floors
from tests.simulation.batch import live_through
from tests.simulation.faults import KINDS
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
    assert not (short := floors.short(batch.figures, batch.seeds)), "\n".join(["too little happens:", *short])


def test_a_batch_in_which_nothing_happens_is_short_of_every_floor() -> None:
    assert len(floors.short(Counter(), 1000)) == len(floors.FLOOR) and 0 not in floors.FLOOR.values()


def test_every_event_every_effect_and_every_fault_has_its_floor() -> None:
    events = {each.__name__ for each in (*get_args(Event), CallerArrived, CallbackRequested)}
    effects = {each.__name__ for each in get_args(Effect)}
    assert events - _named("event") == {"DuplicateFound", "NumberRefused"}  # counted as lines of the feed
    assert effects - _named("effect") == {"Refuse", "SendBack"}  # counted at Asterisk
    assert set(KINDS) <= _named("fault")


def _named(kind: str) -> set[str]:
    return {figure.removeprefix(f"{kind} ") for figure in floors.FLOOR if figure.startswith(f"{kind} ")}


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
    assert caught and caught.invariant == "A5"
    assert f"--seed {caught.seed}" in str(caught) and f"step {caught.steps}" in str(caught)
