"""A minute of the soak (tests/soak; `make soak` is an hour of it): everybody at once, and nothing is left over."""

import pytest

from tests.faults.figures import Figures
from tests.soak.soak import soak

A_MINUTE_IS_MOSTLY_WARM_UP = 0.3
"""So much may memory grow in it."""


@pytest.mark.full
async def test_after_a_minute_of_everything_at_once_nothing_is_left_over(figures: Figures) -> None:
    soaked = await soak(minutes=1)
    for what, (before, after) in soaked.held().items():
        figures.note("soak", f"{what}: grown in a minute", 100 * (after / before - 1), unit="%")
    figures.note("soak", "talks", soaked.done["talks"])
    assert soaked.faults(A_MINUTE_IS_MOSTLY_WARM_UP) == []
