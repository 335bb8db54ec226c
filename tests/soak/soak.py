"""One soak: everybody at once, for so long; then all go home, and what is left is looked at."""

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass

import aiohttp

from demo.stage import Stage, scratch_stage
from tests.calls.auditor import Auditor
from tests.soak import agents, callers, floors, looks, pings, readers
from tests.soak.looks import Look, look
from tests.soak.world import DNIS, QUEUE, SETTINGS, World

AGENTS, SPARE_PHONES, READERS, STREAMS = 4, 2, 1, 6
LOOKS = 240
"""How often it is looked at, evenly."""
MOST_GROWTH = {"asterisk": 0.10, "service": 0.10, "postgres": 0.25}
"""Of memory and of descriptors, from after the warm-up until the end. Each of Postgres' forty processes keeps what it
has read once, and some are rarely asked."""
MOST_KEPT = 5
"""Descriptors: connections that are about to close."""
MOST_LOGGED = {"service": 20e6, "asterisk": 1e6, "postgres": 1e6}
"""Bytes an hour."""


@dataclass(frozen=True)
class Held:
    """What a part holds after the warm-up and at the end, in bytes or descriptors; by which share it may grow."""

    what: str
    before: float
    after: float
    most: float

    @property
    def grown(self) -> float:
        return self.after / self.before - 1

    def __str__(self) -> str:
        return f"{self.what}: {self.before:g}, then {self.after:g}"


@dataclass(frozen=True)
class Soaked:
    """What was done and seen. `idle` are looks at the quiet system before and after; `left` what should be gone."""

    minutes: float
    done: Counter[str]
    looks: list[Look]
    idle: tuple[Look, Look]
    complaints: list[str]
    left: list[str]

    def faults(self, slack: float = 1) -> list[str]:
        """Whatever does not hold, in words. So many times the growth is allowed in a run that is mostly warm-up."""
        missed = floors.missed(self.done, self.minutes)
        return [
            *(f"too little: {what}: {n}, at least {least}" for what, (n, least) in missed.items()),
            *(f"{held}: more than {slack * held.most:.0%}" for held in self.held() if held.grown > slack * held.most),
            *(f"{part}: {n} descriptors more than before" for part, n in self.kept().items() if n > MOST_KEPT),
            *(f"{name} logged {n / 1e6:.1f} MB an hour" for name, n in self.logs().items() if n > MOST_LOGGED[name]),
            *self.complaints,
            *self.left,
        ]

    def held(self) -> list[Held]:
        return [
            Held(f"{part}: {what}", *measure(self.looks, part), most)
            for what, measure in (("memory", looks.memory), ("descriptors", looks.files))
            for part, most in MOST_GROWTH.items()
        ]

    def kept(self) -> dict[str, int]:
        """Descriptors that are open when everybody has gone, and were not before anybody came. Postgres keeps those
        of tables it has read."""
        before, after = self.idle
        return {part: after.files[part] - before.files[part] for part in ("asterisk", "service")}

    def logs(self) -> dict[str, float]:
        """Bytes an hour."""
        return {name: looks.logged(self.looks, name) for name in MOST_LOGGED}


async def soak(minutes: float, seed: int = 0) -> Soaked:
    async with scratch_stage("soak") as stage:
        await stage.queue(QUEUE, DNIS, **SETTINGS)
        world = World(stage, Auditor(stage), random.Random(seed))
        before = look(stage)
        seen = await _all_at_once(world, 60 * minutes)
        left = await _left_over(world)
        return Soaked(minutes, world.done, seen, (before, look(stage)), world.complaints, left)


async def _all_at_once(world: World, seconds: float) -> list[Look]:
    async with asyncio.TaskGroup() as group:
        everybody = [
            callers.come_and_go(world),
            agents.work(world, AGENTS),
            *(agents.spare_phone(world, n) for n in range(SPARE_PHONES)),
            *(readers.read(world) for _ in range(READERS)),
            readers.supervise(world),
            *(readers.listen(world) for _ in range(STREAMS)),
            pings.ping(world),
            pings.ping_inside(world),
        ]
        for each in everybody:
            group.create_task(each)
        try:
            return await _look_on(world, seconds)
        finally:
            world.ending.set()


async def _look_on(world: World, seconds: float) -> list[Look]:
    seen, began = [], time.monotonic()
    for n in range(LOOKS):
        await asyncio.sleep(began + (n + 1) * seconds / LOOKS - time.monotonic())
        seen.append(look(world.stage))
        if n % (LOOKS // 60) == 0:
            _tell(world, seen[-1], time.monotonic() - began)
    return seen


def _tell(world: World, seen: Look, seconds: float) -> None:
    counts = {what: world.done[what] for what in ("calls in", "promises", "dials", "talks", "API requests")}
    memory = {part: f"{n / 1e6:.1f}" for part, n in seen.memory.items()}
    told = [f"{seconds:6.0f} s", counts, "MB", memory, "files", seen.files, f"{len(world.complaints)} complaints"]
    print(*told, flush=True)


async def _left_over(world: World) -> list[str]:
    """Of the quiet system: what hangs, what the auditor finds, what the service took for an error."""
    await world.auditor.end_all_calls()
    found = await world.auditor.check()
    bridges = await _bridges(world.stage)
    return [*found, *(f"a bridge is left: {each}" for each in bridges), *_errors(world.stage)]


async def _bridges(stage: Stage) -> list[str]:
    login = stage.credentials["ari"]
    headers = {"Authorization": aiohttp.encode_basic_auth(login["username"], login["password"])}
    url = f"http://127.0.0.1:{stage.ports.ari}/ari/bridges"
    async with aiohttp.request("GET", url, headers=headers) as response:
        return [each["id"] for each in await response.json()]


def _errors(stage: Stage) -> list[str]:
    lines = (json.loads(text) for text in stage.log.read_text().splitlines() if text.startswith("{"))
    return [f"logged as an error: {line}" for line in lines if line.get("level") in ("error", "critical")]
