"""Nothing of a run depends on the machine it is run on."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import random
from unittest.mock import patch
from uuid import uuid4

import pytest

from routing.engine.deciding import Decider
from tests.simulation.reality import seen
from tests.simulation.story import run

ROOT = Path(__file__).parents[2]
PROMISE_SEED = 1
"""A run in which a caller asks to be called, and is promised it."""

SEEDS = range(1, 16)
TAKEN = time.monotonic
"""A clock somebody took a hold of, long before a run begins."""


def test_no_run_reads_a_real_clock_or_draws_real_chance() -> None:
    with seen() as read:
        promises = sum(run(seed).figures["promises"] for seed in SEEDS)
    assert read == [] and promises > 0


@pytest.mark.parametrize(
    ("what", "reading"),
    [
        ("time.monotonic", lambda: TAKEN()),
        ("datetime.now", lambda: datetime.now(UTC)),
        ("os.urandom", lambda: uuid4()),
        ("random.random", lambda: random()),
    ],
)
def test_who_reads_one_is_seen_however_it_is_called(what: str, reading: Callable[[], object]) -> None:
    with seen() as read:
        reading()
    assert [each.split(" by ")[0] for each in read] == [what]


@pytest.mark.parametrize(
    "reading", [lambda: time.monotonic(), lambda: time.time(), lambda: uuid4(), lambda: random()]
)
def test_a_run_that_reads_one_fails(reading: Callable[[], object]) -> None:
    real = Decider.decide

    async def reads(self: Decider, *arguments: object) -> object:
        reading()
        return await real(self, *arguments)  # type: ignore[arg-type]

    with patch.object(Decider, "decide", reads):
        assert run(PROMISE_SEED).invariant == "C1"


@pytest.mark.parametrize("uptime", [10, 30 * 86400])
def test_how_long_the_machine_has_been_up_makes_no_difference(uptime: int) -> None:
    program = f"""
import time
up, real = {uptime} - time.monotonic(), time.monotonic
time.monotonic = lambda: real() + up  # before anything could take a hold of the real one
from tests.simulation.story import run
print('\\n'.join(run({PROMISE_SEED}).trace))
"""
    there = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert there.stdout.splitlines() == run(PROMISE_SEED).trace
