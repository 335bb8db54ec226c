"""Brings the line and the free agents together, as soon as either changes."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from routing.core.errors import RingbackError, Unavailable
from routing.core.events import Offered, OfferWithdrawn
from routing.core.interaction import Interaction
from routing.core.matching import Candidate, IdleAgent, match
from routing.engine.clock import Clock
from routing.store.database import Pool
from routing.store.read import line

log = structlog.get_logger()

POLL = 0.5
"""Seconds after which it looks without being told: initial delays and exclusions end by themselves."""


PATIENCE = 1.0
"""Seconds it waits for offers to be made before it looks again: one slow interaction must not hold up the others."""

HELD_UP, UNDECIDABLE = 1.0, 30.0
"""Seconds an interaction is passed over whose row is locked, or which cannot be decided at all: those behind it in
the line do not wait for it."""


class Router:
    """`ask` puts an offer to an interaction; `reachable` tells whether an agent's phone can be rung now."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        ask: Callable[[UUID, Offered], Awaitable[Interaction]],
        tell: Callable[[UUID, OfferWithdrawn], None],
        reachable: Callable[[str], bool],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ask = ask
        self._tell = tell
        self._reachable = reachable
        self._stirred = asyncio.Event()
        self._trying: set[UUID] = set()
        self._passed_over: dict[UUID, float] = {}

    def stir(self) -> None:
        """Something changed: look at once."""
        self._stirred.set()

    def stir_in(self, seconds: float) -> None:
        """Something will change by itself: an initial delay ends."""
        asyncio.get_running_loop().call_later(max(0.0, seconds), self.stir)

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL):
                    await self._stirred.wait()
            except TimeoutError:
                pass
            self._stirred.clear()
            try:
                await self._match()
            except RingbackError as error:
                log.warning("router could not look", error=str(error))

    async def _match(self) -> None:
        free = [agent for agent in await line.free_agents(self._pool) if self._reachable(agent.agent)]
        if not free:
            return
        queues = sorted({queue for agent in free for queue in agent.queues})
        now = self._clock.now()
        waiting = await line.in_line(self._pool, queues, now, len(free) + 100)
        left_alone = self._trying | self._still_passed_over()
        waiting = [each for each in waiting if each.id not in left_alone]
        offers = [self._offer(each, agent) for each, agent in match(waiting, free, now)]
        if offers:
            await asyncio.wait([asyncio.ensure_future(offer) for offer in offers], timeout=PATIENCE)

    def _still_passed_over(self) -> set[UUID]:
        now = self._clock.monotonic()
        self._passed_over = {each: until for each, until in self._passed_over.items() if until > now}
        return {*self._passed_over}

    async def _offer(self, waiting: Candidate, agent: IdleAgent) -> None:
        """Somebody may have been quicker, on either side: then it is looked at again."""
        self._trying.add(waiting.id)
        try:
            await self._ask(waiting.id, Offered(agent.agent, agent.desk))
            if not await line.is_ready(self._pool, agent.agent):  # left since we looked
                self._tell(waiting.id, OfferWithdrawn(agent.agent, "not_ready"))
        except Unavailable as error:
            self._pass_over(waiting.id, HELD_UP)
            log.info("offer not made", agent=agent.agent, error=str(error))
        except RingbackError as error:
            log.info("offer not made", agent=agent.agent, error=str(error))
        except Exception:  # a row that cannot be decided holds up nobody but itself
            self._pass_over(waiting.id, UNDECIDABLE)
            log.exception("offer not made", agent=agent.agent)
        finally:
            self._trying.discard(waiting.id)

    def _pass_over(self, interaction_id: UUID, seconds: float) -> None:
        self._passed_over[interaction_id] = self._clock.monotonic() + seconds
