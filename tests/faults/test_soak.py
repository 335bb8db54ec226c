"""Some of the soak (tests/soak; `make soak` is an hour of it): everybody at once, and nothing is left over."""

import pytest

from tests.faults.figures import Figures
from tests.soak.soak import soak

MINUTES = 1.5
"""The agents are at work for a while when it is looked at for the first time."""
SLACK = 3
"""How many times the hour's growth: so short a run is mostly warm-up."""


@pytest.mark.full
async def test_after_a_minute_of_everything_at_once_nothing_is_left_over(figures: Figures) -> None:
    soaked = await soak(minutes=MINUTES)
    for held in soaked.held():
        figures.note("soak", f"{held.what}: grown", 100 * held.grown, unit="%")
    figures.note("soak", "talks", soaked.done["talks"])
    assert soaked.faults(SLACK) == []
