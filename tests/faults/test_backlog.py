"""F33: a million open callbacks slow neither an accept, nor a look at the list, nor the service's start."""

import pytest

from bench.backlog import ACCEPT_LIMIT, ACCEPTS, BACKLOG, PAGE_LIMIT, PAGES, START_LIMIT, measure
from tests.faults.figures import Figures

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.full]


async def test_f33_a_million_open_callbacks_slow_nobody(figures: Figures) -> None:
    """On a stage of its own. The promise is about the p99, so that is what is noted."""
    beside = await measure(BACKLOG)
    pages = [each.p99 for each in beside.pages]
    figures.note("F33", f"accept, p99 of {ACCEPTS}", beside.accept.p99, unit="ms", limit=ACCEPT_LIMIT)
    figures.note("F33", f"page of the list, p99 of {PAGES}", pages, unit="ms", limit=PAGE_LIMIT)
    figures.note("F33", "start-up until ready", beside.start.p99 / 1000, unit="s", limit=START_LIMIT / 1000)
