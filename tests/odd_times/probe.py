"""What a part really sees: a program that starts a Ringback and prints the clocks it finds there, as JSON."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime

from demo.stage import Stage, scratch_stage


async def main() -> None:
    async with scratch_stage("odd") as stage:
        seen = {
            "uptime": time.monotonic(),
            "here": datetime.now(UTC).isoformat(),
            "postgres": (await stage.sql.fetchval("SELECT now()")).isoformat(),
            "service": last_line(stage)["timestamp"],
            "zone": time.strftime("%z"),
            "user": os.geteuid(),
        }
    print(json.dumps(seen))


def last_line(stage: Stage) -> dict[str, str]:
    lines = [line for line in stage.log.read_text().splitlines() if line.startswith("{")]
    return dict(json.loads(lines[-1]))


if __name__ == "__main__":
    asyncio.run(main())
