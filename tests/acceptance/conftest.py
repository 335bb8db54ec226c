"""One Ringback for all acceptance tests, its prompts made of tones; every test has its own queue and people."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from demo.stage import Stage, scratch_stage
from tests.calls.line import Line

_counter = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    async with scratch_stage("acc") as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def line(stage: Stage) -> AsyncIterator[Line]:
    n = next(_counter)
    made = Line(stage, f"queue-{n}", f"7{n:03}", n)
    await made.settings()
    yield made


@pytest.fixture(autouse=True)
def service_log(request: pytest.FixtureRequest, stage: Stage) -> Iterator[None]:
    """What the service logged meanwhile stands in the report of a test that fails."""
    before = stage.log.stat().st_size
    yield
    with stage.log.open() as log:
        log.seek(before)
        request.node.add_report_section("teardown", "service log", log.read()[-20_000:])
