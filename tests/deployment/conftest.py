"""The three parts, started one by one as docker-compose.yml says, for all tests of this folder."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.acceptance.conftest import Line
from tests.deployment.parts import Parts, running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployed() -> AsyncIterator[tuple[Parts, Line]]:
    with tempfile.TemporaryDirectory(prefix="rb-parts-", dir="/tmp") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101  # for the accounts that run Postgres and Asterisk
        async with running(folder) as (parts, stage):
            line = Line(stage, "support", "600", 900)
            await line.settings()
            yield parts, line
