"""What machines ask: alive, ready, and the numbers for Prometheus. No token needed, nothing personal told."""

import asyncio

from aiohttp import web
from prometheus_client import generate_latest

from routing.api.context import Call
from routing.api.http.route import PUBLIC, Route, json_response
from routing.api.machines import answers
from routing.core.errors import RingbackError
from routing.runtime import metrics
from routing.store.database import connection

PARTS = ("postgres", "ari", "ami", "shard")
_PATIENCE = 1.0


async def healthz(call: Call) -> answers.Alive:
    """The process answers."""
    return answers.Alive("ok")


async def readyz(call: Call) -> web.Response:
    """Whether every part is there: 200, or 503 with the one that is not."""
    parts = await _parts(call)
    ready = all(parts.values())
    return json_response(answers.Ready(ready, parts, _clock(call)), 200 if ready else 503)


def _clock(call: Call) -> answers.ClockSeen:
    """A jump is told, and no reason not to be ready: it has been followed."""
    seen = call.engine.timekeeper
    jump = seen.last_jump
    last = answers.Jump(jump.at, jump.seconds, jump.slept) if jump else None
    return answers.ClockSeen(seen.jumps, last, None if seen.ahead is None else round(seen.ahead, 3))


async def _parts(call: Call) -> dict[str, bool]:
    """A part nobody has reported on is not there. Postgres is asked."""
    told = call.engine.health()
    return {part: told.get(part, False) for part in PARTS} | {"postgres": await _postgres(call)}


async def _postgres(call: Call) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE), connection(call.pool) as c:
            return bool(await c.fetchval("SELECT true"))
    except (RingbackError, TimeoutError):
        return False


async def prometheus(call: Call) -> web.Response:
    """The metrics of this process."""
    metrics.set_parts(await _parts(call))
    try:
        metrics.set_interactions(await call.services.counts.interactions())
    except RingbackError:
        metrics.set_interactions([])
    text = generate_latest(metrics.REGISTRY)
    return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


ROUTES = (
    Route("GET", "/healthz", healthz, PUBLIC, answers.Alive),
    Route("GET", "/readyz", readyz, PUBLIC, answers.Ready, codes=("not_ready",)),
    Route("GET", "/metrics", prometheus, PUBLIC, str),
)
