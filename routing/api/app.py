"""The HTTP side of Ringback, put together: routes, errors, the live stream's task."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from routing.api import agents, health, interactions, me, openapi, queues, stream
from routing.api.auth import Tokens
from routing.api.errors import errors_as_problems
from routing.api.guard import LoginGuard
from routing.api.hub import Hub
from routing.api.reading import MOST_BYTES
from routing.api.route import SERVICES, Route, Services
from routing.engine.engine import Engine
from routing.passwords import Passwords

PREFIX = "/api/v1"
VERSIONED = (*me.ROUTES, *agents.ROUTES, *queues.ROUTES, *interactions.ROUTES, *stream.ROUTES)
IDLE = 30.0
"""Seconds a connection may take to send a request's head, at its start and between requests."""


def routes() -> list[tuple[str, Route]]:
    """Every route with its full path."""
    described = openapi.route(lambda: routes())
    plain = [(route.path, route) for route in (*health.ROUTES, described)]
    return [*((f"{PREFIX}{route.path}", route) for route in VERSIONED), *plain]


def create_app(engine: Engine, *, realm: str) -> web.Application:
    """`realm` is the SIP realm, part of every agent's digest secret."""
    app = web.Application(middlewares=[errors_as_problems], client_max_size=MOST_BYTES)
    app[SERVICES] = Services(engine, Hub(engine), Tokens(engine.pool), Passwords(), LoginGuard(), realm)
    for path, route in routes():
        app.router.add_route(route.method, path, route.serve)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_end_streams)
    return app


async def _background(app: web.Application) -> AsyncIterator[None]:
    hub = asyncio.create_task(app[SERVICES].hub.run(), name="hub")
    yield
    hub.cancel()
    await asyncio.gather(hub, return_exceptions=True)


async def _end_streams(app: web.Application) -> None:
    app[SERVICES].hub.end_all()


async def start_site(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen. The runner's `cleanup()` ends it; live streams are closed first. Raises OSError."""
    runner = web.AppRunner(app, handle_signals=False, access_log=None, keepalive_timeout=IDLE, shutdown_timeout=3)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
