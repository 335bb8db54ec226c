"""The description of the API is complete and true: schemathesis asks everything it tells of, sensibly and not."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from api_service import QUICK, Service

CONFIG = Path(__file__).with_name("schemathesis.toml")


TOKENS = {"ADMIN": "admin", "AGENT": "1001", "LEAVING": "auditor"}


@pytest.mark.timeout(180)
async def test_whatever_the_description_says_is_so(service: Service, tmp_path: Path) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    given = {name: await service.token(who) for name, who in TOKENS.items()}
    given["INTERACTION"] = str(await service.callback())

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}"),
        *("run", f"{service.url}/openapi.json", "--checks=all", "--no-color", "--suppress-health-check=all"),
        env=os.environ | given,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()

    print(told.decode())
    assert process.returncode == 0
