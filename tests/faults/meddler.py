"""An ARI that lies: between the service and Asterisk, it refuses, delays and garbles as its dice say."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

SLOW = 5.0
_PASSED_ON = ("Authorization", "Content-Type")
_GARBAGE = (
    "{",
    "[]",
    '"word"',
    '{"type": 7}',
    '{"type": "ChannelDtmfReceived"}',
    '{"type": "NeverHeardOf", "x": [1]}',
)


@dataclass
class Meddler:
    """`share` of the requests get another answer, `share` of the events arrive otherwise. 0: it does nothing."""

    upstream: str
    dice: random.Random
    share: float = 0.0
    unheard: frozenset[str] = frozenset()
    """Types of events that never arrive."""
    did: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _asked: int = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.cleanup_ctx.append(self._session)
        app.router.add_get("/ari/events", self._events)
        app.router.add_route("*", "/{path:.*}", self._request)
        return app

    async def _session(self, _: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as self.http:
            yield

    def _strikes(self) -> bool:
        return self.dice.random() < self.share

    # Requests

    async def _request(self, request: web.Request) -> web.Response:
        """Asked for a way to fail, half of the time Asterisk obeyed all the same."""
        way = self.dice.choice(["500", "404", "409", "slow", "nonsense"]) if self._strikes() else ""
        if way and self.dice.random() < 0.5:
            return await self._lie(way)
        answer = await self._pass_on(request)
        return await self._lie(way) if way else answer

    async def _lie(self, way: str) -> web.Response:
        self.did[way] += 1
        if way == "slow":
            await asyncio.sleep(SLOW)
            return web.json_response({"message": "late"}, status=500)
        if way == "nonsense":
            return web.Response(text="<html>", status=200)
        return web.json_response({"message": "a lie"}, status=int(way))

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        url = f"{self.upstream}{request.raw_path}"
        async with self.http.request(
            request.method, aiohttp.client.URL(url, encoded=True), headers=headers, data=await request.read()
        ) as response:
            body = await response.read()
            return web.Response(body=body, status=response.status, headers={"Content-Type": response.content_type})

    # Events

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        down = web.WebSocketResponse()
        await down.prepare(request)
        headers = {"Authorization": request.headers["Authorization"]}
        url = f"{self.upstream}{request.raw_path}"
        async with self.http.ws_connect(url, headers=headers) as up:
            ended = asyncio.create_task(_until_closed(down, up))
            held: str | None = None
            async for message in up:
                for text in self._told(message.data):
                    if held is None and self._strikes():
                        held = text  # told after the next one
                        self.did["out of order"] += 1
                        continue
                    await down.send_str(text)
                    if held is not None:
                        await down.send_str(held)
                        held = None
            await down.close()
            await ended
        return down

    def _told(self, text: str) -> list[str]:
        if self.unheard and json.loads(text)["type"] in self.unheard:
            self.did["unheard"] += 1
            return []
        if not self._strikes():
            return [text]
        way = self.dice.choice(["twice", "garbage too", "without a field", "with another"])
        self.did[way] += 1
        match way:
            case "twice":
                return [text, text]
            case "garbage too":
                return [self.dice.choice(_GARBAGE), text]
            case "without a field":
                return [_without(json.loads(text), self.dice.choice), text]
            case _:
                return [json.dumps({**json.loads(text), "never_heard_of": {"a": 1}})]


def _without(event: dict[str, Any], choose: Callable[[list[str]], str]) -> str:
    """Not the type's word itself, and not what happened: the whole event follows."""
    event.pop(choose([name for name in event if name != "type"]))
    return json.dumps(event)


async def _until_closed(down: web.WebSocketResponse, up: "aiohttp.ClientWebSocketResponse[bool]") -> None:
    async for _ in down:
        pass
    await up.close()


@asynccontextmanager
async def meddling(upstream: str, seed: int) -> AsyncIterator[Meddler]:
    """`upstream` is Asterisk's HTTP server, without `/ari`."""
    meddler = Meddler(upstream, random.Random(seed))
    runner = web.AppRunner(meddler.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    meddler.url = f"http://{host}:{port}"
    try:
        yield meddler
    finally:
        await runner.cleanup()
