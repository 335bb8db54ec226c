"""Follows what `ringback apply` changed in Postgres: a running service acts on it within a second."""

import asyncio

import structlog

from routing.core.errors import Unavailable
from routing.engine.engine import Engine
from routing.engine.listed import call_no_more
from routing.store import applied
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
            news = await applied.since(engine.pool, last)
            for line in news:  # all of them before the first that needs Asterisk
                await _take_over(engine, line)
            for line in news:
                await _settle_accounts(engine, line)
                last = line.id
        except Unavailable as error:
            log.warning("not followed now", error=str(error))
        await asyncio.sleep(PERIOD)


async def _take_over(engine: Engine, line: Applied) -> None:
    """What can be without Asterisk; the same line may come more than once."""
    for queue in line.queues:
        engine.queues_changed(queue)
    await call_no_more(engine.tell, engine.pool, line.numbers)


async def _settle_accounts(engine: Engine, line: Applied) -> None:
    for agent in line.agents:
        await engine.agents.settle(agent)
        engine.agents_changed(agent)
    log.info("applied settings taken over", queues=line.queues, agents=line.agents, numbers=len(line.numbers))
