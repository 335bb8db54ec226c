"""`python -m bench.crowd [CALLERS] [SECONDS]`: many callers wait at once and meet the workflow."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import usage
from bench.figures import table
from bench.usage import PARTS, Usage
from demo.lags import Lags
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, scratch_stage
from routing.local.asterisk.prompts import TONES

CALLERS, SECONDS = 500, 60
PER_SECOND = 25
LISTENING_EVERY = 25
"""Every so many-th caller listens, to measure silences; if all did, the phones would need all the CPU."""
LEGS = 2000
DNIS = "7005"
RESULTS = Path(__file__).with_name("CROWD.md")

SETTINGS: dict[str, Any] = {
    "workflow": {
        "loop": True,
        "steps": [
            {"after": 10, "announce": ["position"]},
            {"after": 15, "menu": "offer", "keys": {"1": "wait", "2": "callback"}, "tries": 1, "timeout": 5},
        ],
    }
}


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    at: float
    parts: dict[str, Usage]
    decisions: int
    lag: Lags


def main(callers: int, seconds: int) -> int:
    return asyncio.run(_run(callers, seconds))


async def _run(callers: int, seconds: int) -> int:
    async with scratch_stage("bench", legs=LEGS) as stage:
        await stage.queue("crowd", DNIS, **SETTINGS)
        empty = await _look(stage)
        listening = await _fill(stage, callers)
        for call in listening:
            call.reset_gaps()
        before = await _look(stage)
        await asyncio.sleep(seconds)
        after = await _look(stage)
        _tell(callers, empty, before, after, [call.gaps.silence for call in listening])
        stage.carrier.unplug()  # so many BYEs at once would take longer than everything else
        return 0


async def _fill(stage: Stage, callers: int) -> list[OutgoingCall]:
    """All of them are answered when this returns; those who listen."""
    listening = []
    for n in range(callers):
        call = await stage.carrier.phone(f"+4915155{n:05}").call(DNIS)
        await call.answered(10)
        if n % LISTENING_EVERY == 0:
            await call.hear(TONES["music"], 10)
            listening.append(call)
        else:
            call.media.put_down()
        await asyncio.sleep(1 / PER_SECOND)
    return listening


async def _look(stage: Stage) -> Look:
    parts = {part: usage.of(stage.pid(part)) for part in PARTS}
    decisions = await stage.sql.fetchval("SELECT coalesce(sum(version), 0) FROM interactions")
    return Look(time.monotonic(), parts, int(decisions), await stage.loop_lags())


def _tell(callers: int, empty: Look, before: Look, after: Look, silences: list[float]) -> None:
    seconds = after.at - before.at
    rows = [[part, *_of_part(part, callers, empty, before, after, seconds)] for part in PARTS]
    text = "\n\n".join(
        [
            f"# {callers} callers waiting at once",
            "Written by `python -m bench.crowd`: music, their place in line after 10 s, a menu 15 s later, and again."
            f" {seconds:.0f} s, {os.cpu_count()} cores, shared with the phones.",
            table(["", "CPU, % of one core", "memory a caller, KiB"], rows),
            f"- decisions stored: {(after.decisions - before.decisions) / seconds:.0f} a second\n"
            f"- event loop lag, p99: at most {1000 * after.lag.p99_since(before.lag):g} ms\n"
            f"- longest silence heard by one of {len(silences)} who listened: {max(silences):.2f} s",
        ]
    )
    RESULTS.write_text(f"{text}\n")
    print(text)


def _of_part(part: str, callers: int, empty: Look, before: Look, after: Look, seconds: float) -> list[str]:
    cpu = (after.parts[part].cpu - before.parts[part].cpu) / seconds
    memory = (after.parts[part].memory - empty.parts[part].memory) / callers / 1024
    return [f"{cpu:.0%}", f"{memory:.0f}"]


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*given, *(CALLERS, SECONDS)[len(given) :]))
