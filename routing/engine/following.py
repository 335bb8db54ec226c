"""Follows what `ringback apply` changed in Postgres: a running service acts on it within a second."""

import asyncio

import structlog

from routing.engine.engine import Engine
from routing.engine.listed import call_no_more
from routing.errors import Unavailable
from routing.store import agents, applied
from routing.store.applied import Applied

log = structlog.get_logger()

PERIOD = 0.4
"""Seconds between looks; one indexed read."""


async def follow(engine: Engine) -> None:
    """For ever. With Postgres or Asterisk away the same line is tried again."""
    last: int | None = None
    while True:
        try:
            if last is None:
                last = await applied.last(engine.pool)
                engine.queues_changed()  # what was read before that look may be older
            for line in await applied.since(engine.pool, last):
                await _take_over(engine, line)
                last = line.id
        except Unavailable as error:
            log.warning("not followed now", error=str(error))
        await asyncio.sleep(PERIOD)


async def _take_over(engine: Engine, line: Applied) -> None:
    for queue in line.queues:
        engine.queues_changed(queue)
    for agent in line.agents:
        if await agents.sip_ha1(engine.pool, agent):
            await engine.desks.provision(agent)
        else:
            await engine.desks.withdraw_account(agent)
        engine.agents_changed(agent)
    await call_no_more(engine, engine.pool, line.numbers)
    log.info("applied settings taken over", queues=line.queues, agents=line.agents, numbers=len(line.numbers))
