"""The three parts, started one by one as docker-compose.yml says, for all tests of this folder."""

from collections.abc import AsyncIterator

import pytest_asyncio

from demo.folder import enterable_folder
from tests.calls.line import Line
from tests.deployment.parts import Parts, running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployed() -> AsyncIterator[tuple[Parts, Line]]:
    with enterable_folder("parts") as folder:
        async with running(folder) as (parts, stage):
            line = Line(stage, "support", "600", 900)
            await line.settings()
            yield parts, line
