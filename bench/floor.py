"""The floor, a process of its own as the service is one: no decisions, no rows but one, the same ARI client.

`durably and dial`: one committed INSERT, then create, StasisStart, dial. Started by `bench.bare`, which tells it
where Asterisk and Postgres are on standard input and is told the HTTP port on standard output.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Coroutine
from uuid import uuid4

import asyncpg
import structlog
import uvloop
from aiohttp import web

from dialplan.ari import models
from dialplan.ari.client import AriClient
from dialplan.ari.connection import Alone, AriConnection

APP = "bench-floor"
INBOUND = "inbound"
TABLE = "CREATE TABLE IF NOT EXISTS bench_floor (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
INSERT = "INSERT INTO bench_floor (id) VALUES ($1)"

Stamps = dict[str, float]
"""What happened when, on time.monotonic(), which all processes of a machine share."""


class Floor:
    def __init__(self, ari: AriClient, insert: "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]") -> None:
        self.ari = ari
        self._insert = insert
        self._started: dict[str, asyncio.Future[None]] = {}
        self._calls_back: dict[str, str] = {}
        self._dialled: asyncio.Queue[Stamps] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def dial(self, number: str) -> Stamps:
        """Durably, and then at once."""
        stamps = {"began": time.monotonic()}
        await self._insert.fetch(uuid4())
        stamps["saved"] = time.monotonic()
        await self._call(f"PJSIP/{number}@carrier", stamps)
        return stamps

    async def _call(self, endpoint: str, stamps: Stamps) -> str:
        leg = uuid4().hex
        self._started[leg] = asyncio.get_running_loop().create_future()
        await self.ari.channels.create(endpoint=endpoint, app=APP, app_args="leg", channel_id=leg)
        stamps["created"] = time.monotonic()
        await self._started[leg]
        del self._started[leg]
        stamps["started"] = time.monotonic()
        await self.ari.channels.dial(leg, timeout=30)
        stamps["dialled"] = time.monotonic()
        return leg

    async def listen(self, connection: AriConnection) -> None:
        async for item in connection:
            match item:
                case models.StasisStart(args=[kind], channel=channel) if kind == INBOUND:
                    self._spawn(self._answer(channel.id))
                case models.StasisStart(channel=channel) if waiter := self._started.get(channel.id):
                    waiter.set_result(None)
                case models.ChannelStateChange(channel=channel) if channel.state == "Up":
                    if number := self._calls_back.pop(channel.id, None):
                        self._spawn(self._call_back(number))
                case _:
                    pass

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, channel: str) -> None:
        await self._insert.fetch(uuid4())
        await self.ari.channels.answer(channel)

    async def _call_back(self, number: str) -> None:
        self._dialled.put_nowait(await self.dial(number))

    # What the bench asks

    async def on_dial(self, request: web.Request) -> web.Response:
        return web.json_response(await self.dial(request.match_info["number"]))

    async def on_ring(self, request: web.Request) -> web.Response:
        """Ring an agent; once the agent answers, dial the number."""
        leg = await self._call(f"PJSIP/{request.match_info['agent']}", {})
        self._calls_back[leg] = request.match_info["number"]
        return web.json_response({"leg": leg})

    async def on_dialled(self, _: web.Request) -> web.Response:
        """When it did so."""
        return web.json_response(await self._dialled.get())

    async def on_hang_up(self, request: web.Request) -> web.Response:
        await self.ari.channels.hangup(request.match_info["leg"])
        return web.json_response({})


async def main() -> None:
    told = json.loads(await asyncio.to_thread(sys.stdin.readline))
    sql = await asyncpg.connect(told["dsn"])
    await sql.execute(TABLE)
    async with AriClient(told["ari"], told["username"], told["password"]) as ari:
        floor = Floor(ari, await sql.prepare(INSERT))
        connection = AriConnection(ari, APP, Alone())
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each) for each in (connection.run(), floor.listen(connection), ari.keep_warm())
            ]
            while not connection.connected:  # noqa: ASYNC110  # only at the start
                await asyncio.sleep(0.01)
            print(await serve(floor), flush=True)
            await asyncio.to_thread(sys.stdin.read)  # until the bench ends
            for task in tasks:
                task.cancel()


async def serve(floor: Floor) -> int:
    app = web.Application()
    app.router.add_post("/dial/{number}", floor.on_dial)
    app.router.add_post("/ring/{agent}/{number}", floor.on_ring)
    app.router.add_post("/dialled", floor.on_dialled)
    app.router.add_post("/hang-up/{leg}", floor.on_hang_up)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return int(runner.addresses[0][1])


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(main())
