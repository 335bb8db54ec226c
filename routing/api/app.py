"""The HTTP side of Ringback, put together: routes, errors, the live stream's task."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from aiohttp import web

from routing.api.agents import routes as agents
from routing.api.bans import routes as bans
from routing.api.context import SERVICES, Services
from routing.api.engine import Engine
from routing.api.http import docs, openapi
from routing.api.http.auth import Tokens
from routing.api.http.client_address import ClientAddresses, Network
from routing.api.http.connection_limit import ConnectionLimit
from routing.api.http.errors import errors_as_problems
from routing.api.http.idempotency import Idempotency
from routing.api.http.login_throttle import LoginThrottle
from routing.api.http.rates import A_SECOND, Rates
from routing.api.http.reading import MOST_BYTES
from routing.api.http.route import Route
from routing.api.interactions import routes as interactions
from routing.api.live import stream
from routing.api.live.hub import Hub
from routing.api.machines import routes as machines
from routing.api.machines.counts import Counts
from routing.api.numbers import routes as numbers
from routing.api.operations import routes as operations
from routing.api.queues import routes as queues
from routing.api.sessions import routes as sessions
from routing.runtime.passwords import Passwords
from routing.store.database import Pool

PREFIX = "/api/v1"
_WORK = (*sessions.ROUTES, *agents.ROUTES, *queues.ROUTES, *interactions.ROUTES, *operations.ROUTES)
VERSIONED = (*_WORK, *numbers.ROUTES, *bans.ROUTES, *stream.ROUTES)
IDLE = 10.0
"""Seconds a connection may take to send a request's head, at its start and between requests."""
LINGER = 1.0
"""Seconds that are waited for the rest of a body nobody wants any more."""
_TASKS = web.AppKey("tasks", list[asyncio.Task[None]])


def routes() -> list[tuple[str, Route]]:
    """Every route with its full path."""
    described = openapi.route(lambda: routes())
    plain = [(route.path, route) for route in (*machines.ROUTES, described)]
    return [*((f"{PREFIX}{route.path}", route) for route in VERSIONED), *plain]


def create_app(
    engine: Engine, pool: Pool, *, realm: str, a_second: float = A_SECOND, trusted_proxies: Iterable[Network] = ()
) -> web.Application:
    """`pool` is the API's own; `realm` is the SIP realm, part of every agent's digest secret; a token may make
    `a_second` requests in one; `trusted_proxies` are believed whom they ask for."""
    app = web.Application(middlewares=[errors_as_problems], client_max_size=MOST_BYTES)
    app[SERVICES] = Services(
        engine=engine,
        pool=pool,
        hub=Hub(engine, pool),
        tokens=Tokens(pool),
        passwords=Passwords(),
        guard=LoginThrottle(),
        client_addresses=ClientAddresses(trusted_proxies),
        rates=Rates(a_second),
        idempotency=Idempotency(pool, lambda: engine.epoch, engine.clock.now),
        counts=Counts(pool),
        realm=realm,
    )
    app[_TASKS] = []
    for path, route in routes():
        app.router.add_route(route.method, _matching(path), route.serve)
    docs.add_to(app)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_end_streams)
    app.on_response_prepare.append(_tell_no_versions)
    return app


async def _tell_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Ringback"


def _matching(path: str) -> str:
    """`/interactions/bulk` is an operation and nobody's id: else its methods would be those of both."""
    return path.replace("/interactions/{id}", "/interactions/{id:(?!bulk$)[^{}/]+}")


async def _background(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    works = {
        "hub": services.hub.run(),
        "revoked tokens": services.tokens.watch(services.hub.tokens, services.hub.end_of),
        "idempotency keys": services.idempotency.sweep(),
    }
    tasks = app[_TASKS]
    tasks += [asyncio.create_task(work, name=name) for name, work in works.items()]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def at_work(app: web.Application) -> None:
    """As long as the background tasks are; raises what ended one of them."""
    tasks = app[_TASKS]
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.result()


async def _end_streams(app: web.Application) -> None:
    app[SERVICES].hub.end_all()


async def start_site(app: web.Application, host: str, port: int, most: int | None = None) -> web.AppRunner:
    """Listen; `most` connections at once. The runner's `cleanup()` ends it; live streams are closed first.

    Raises OSError.
    """
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        keepalive_timeout=IDLE,
        lingering_time=LINGER,
        shutdown_timeout=3,
    )
    await runner.setup()
    try:
        await ConnectionLimit(runner, host, port, most).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
