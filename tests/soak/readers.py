"""Who uses the API beside the agents: readers, supervisors, and live streams that come and go."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tests.soak.world import DNIS, QUEUE, SETTINGS, World

LISTS: list[dict[str, str]] = [
    {},
    {"status": "closed"},
    {"subtype": "callback"},
    {"queue": QUEUE, "order": "line"},
    {"status": "scheduled"},
    {"q": "soak"},
    {"limit": "200", "status": "closed"},
]


async def read(world: World) -> None:
    """Lists, one of what they hold, its story, agents, queues, metrics."""
    api = world.stage.api
    while not await world.over(world.dice.uniform(0.5, 1.5)):
        page = await world.ask(api.get("interactions", **world.dice.choice(LISTS)))
        for it in world.dice.sample((page or {"items": []})["items"], 1) if page and page["items"] else []:
            await world.ask(api.get(f"interactions/{it['id']}"))
            await world.ask(api.get(f"interactions/{it['id']}/feed"))
        await world.ask(api.get(world.dice.choice(["agents", "queues", "do-not-call", "me"])))
        await world.ask(metrics(world))


async def metrics(world: World) -> None:
    async with aiohttp.request("GET", f"{world.stage.url}/metrics") as response:
        await response.read()


async def supervise(world: World) -> None:
    """Whatever may be done to interactions and queues, at random."""
    n = 0
    while not await world.over(world.dice.uniform(1, 4)):
        n += 1
        await world.dice.choice([_note, _requeue, _cancel, _reschedule, _check, _forbid, _change])(world, n)
        if n % 10 == 1:
            await _request(world, n)


async def _some(world: World) -> list[dict[str, Any]]:
    page = await world.ask(world.stage.api.get("interactions", subtype="callback", status="open"))
    items = list((page or {"items": []})["items"])
    return world.dice.sample(items, min(1, len(items)))


async def _note(world: World, n: int) -> None:
    for it in await _some(world):
        await world.ask(world.stage.api.post(f"interactions/{it['id']}/notes", {"note": f"the {n}th"}))


async def _requeue(world: World, n: int) -> None:
    ids = [it["id"] for it in await _some(world)]
    if ids:
        bulk = {"action": "requeue", "ids": ids, "priority": n % 3}
        await world.ask(world.stage.api.post("interactions/bulk", bulk))


async def _cancel(world: World, n: int) -> None:
    if n % 5:
        return
    for it in await _some(world):
        if await world.ask(world.stage.api.post(f"interactions/{it['id']}/cancel", {"reason": "not any more"})):
            world.done["cancelled"] += 1


async def _reschedule(world: World, n: int) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    for it in await _some(world):
        if await world.ask(world.stage.api.post(f"interactions/{it['id']}/reschedule", {"at": at})):
            world.done["rescheduled"] += 1


async def _request(world: World, n: int) -> None:
    body = {"queue": QUEUE, "number": f"+49152{n:08}", "instructions": "from the web"}
    if await world.ask(world.stage.api.post("callbacks", body)):
        world.done["asked for over the API"] += 1


async def _check(world: World, n: int) -> None:
    await world.ask(world.stage.api.post("numbers/check", {"queue": QUEUE, "number": f"0151{n:08}"}))


async def _forbid(world: World, n: int) -> None:
    number = f"do-not-call/+49170{n:07}"
    await world.ask(world.stage.api.put(number, {"reason": "asked for it"}))
    await world.ask(world.stage.api.delete(number))


async def _change(world: World, n: int) -> None:
    """A new version of the queue, and its switches off and on again."""
    await world.ask(world.stage.queue(QUEUE, DNIS, **SETTINGS, title=f"the {n}th"))
    for process in (False, True):
        await world.ask(world.stage.api.put(f"queues/{QUEUE}/switches", {"process": process}))


async def listen(world: World) -> None:
    """A live stream for some seconds; then away, with a word or without one, and there again from the last cursor."""
    cursor: dict[str, str] = {}
    while not world.ending.is_set():
        async with aiohttp.ClientSession(headers=world.stage.api.headers) as http:
            url = f"{world.stage.url}/api/v1/stream"
            try:
                socket = await http.ws_connect(url, params=cursor, max_msg_size=0)
            except aiohttp.ClientError as error:
                world.complaints.append(f"the live stream: {error!r}")
                await world.over(1)
                continue
            world.done["live streams"] += 1
            cursor = await _reads(world, socket) or cursor
            if world.dice.random() < 0.6:
                await socket.close()


async def _reads(world: World, socket: aiohttp.ClientWebSocketResponse) -> dict[str, str]:
    cursor: dict[str, str] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(world.dice.uniform(1, 12)):
            async for message in socket:
                told = message.json()
                world.done["messages of the live stream"] += 1
                if "cursor" in told:
                    cursor = {"after": str(told["cursor"])}
    return cursor
