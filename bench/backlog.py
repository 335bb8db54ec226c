"""`python -m bench.backlog [CALLBACKS]`: accept, list page and start-up beside a million open callbacks."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, figure, table
from bench.scene import CALLBACKS, Scene
from bench.wire import Wire
from demo.stage import Stage, scratch_stage

BACKLOG = 1_000_000
ACCEPTS, PAGES, STARTS = 200, 100, 5
ACCEPT_LIMIT, PAGE_LIMIT, START_LIMIT = 50.0, 200.0, 10_000.0
"""Milliseconds, of the p99."""
RESULTS = Path(__file__).with_name("BACKLOG.md")

LISTS: dict[str, dict[str, str]] = {
    "newest": {},
    "oldest": {"order": "entered_at"},
    "in the order of the line": {"order": "line"},
    "of one queue, callbacks only": {"queue": CALLBACKS, "subtype": "callback", "status": "open"},
    "by exact number": {"number": "+4915210000777"},
    "the 50th page": {"order": "line"},
}


@dataclass(frozen=True)
class Beside:
    """What was measured beside the backlog."""

    accept: Figure
    pages: list[Figure]
    start: Figure


def main(backlog: int) -> int:
    return _tell(backlog, asyncio.run(measure(backlog)))


async def measure(backlog: int) -> Beside:
    """On a stage of its own. Also a row of the fault table: tests/faults/test_backlog.py."""
    async with scratch_stage("bench") as stage:
        await stage.sql.execute("SET synchronous_commit = off")
        started = time.monotonic()
        scene = await Scene.set(stage, backlog)
        await stage.sql.execute("VACUUM ANALYZE")
        await stage.sql.execute("CHECKPOINT")  # as after hours, not as right after a million rows
        print(f"  {backlog:,} open callbacks lined up in {time.monotonic() - started:.0f} s", flush=True)
        with closing(await Wire.open(stage.ports.http, await scene.token())) as service:
            accept = await _accepts(scene, service)
        pages = [await _pages(stage, name, query) for name, query in LISTS.items()]
        return Beside(accept, pages, await _start_up(stage))


async def _accepts(scene: Scene, service: Wire) -> Figure:
    async def once() -> float:
        offered, number = await scene.offered()
        customer = scene.customer(number)
        await asyncio.sleep(0.05)
        answer = await service.post(f"/api/v1/interactions/{offered}/accept")
        return (await customer.incoming()).invited_at - answer.sent

    return figure("accept by API until the customer's INVITE", await _many(ACCEPTS, once))


async def _pages(stage: Stage, name: str, query: dict[str, str]) -> Figure:
    if name == "the 50th page":
        query = await _turned(stage, query, 49)

    async def once() -> float:
        asked = time.monotonic()
        await stage.api.get("interactions", **query)
        return time.monotonic() - asked

    return figure(f"list page: {name}", await _many(PAGES, once))


async def _turned(stage: Stage, query: dict[str, str], pages: int) -> dict[str, str]:
    for _ in range(pages):
        query = {**query, "cursor": (await stage.api.get("interactions", **query))["next_cursor"]}
    return query


async def _many(times: int, once: Callable[[], Awaitable[float]]) -> list[float]:
    await once()
    return [await once() for _ in range(times)]


async def _start_up(stage: Stage) -> Figure:
    """Killed, and ready again: once the successor that stood by, once one that is started cold."""

    async def once() -> float:
        before = stage.pid("service")
        os.kill(before, signal.SIGKILL)
        killed = time.monotonic()
        await stage.until(lambda: _again(stage, before), "the service is ready again", 60)
        return time.monotonic() - killed

    return figure("start-up until ready", [await once() for _ in range(STARTS)])


async def _again(stage: Stage, before: int) -> bool:
    return stage.pid("service") != before and await stage.ready()


def _tell(backlog: int, beside: Beside) -> int:
    limits = [
        (beside.accept, ACCEPT_LIMIT),
        *((each, PAGE_LIMIT) for each in beside.pages),
        (beside.start, START_LIMIT),
    ]
    rows = [
        [each.name, str(each.count), f"{each.median:.1f}", f"{each.p99:.1f}", f"{limit:g}"] for each, limit in limits
    ]
    above = any(each.p99 > limit for each, limit in limits)
    text = "\n\n".join(
        [
            f"# Beside {backlog:,} open callbacks",
            "Written by `python -m bench.backlog`. Milliseconds; one queue holds them all, one agent serves it."
            f" {os.cpu_count()} cores, shared by the service, Asterisk, Postgres and all phones.",
            table(["", "samples", "median", "p99", "limit of p99"], rows),
        ]
    )
    RESULTS.write_text(f"{text}\n")
    print(text)
    print(f"\n{'above' if above else 'within'} the limits")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else BACKLOG))
