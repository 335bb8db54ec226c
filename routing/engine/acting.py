"""Carries out the effects of a stored decision, in their order. Without the lease no call is started."""

import time
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import structlog

from ivr import prompts
from routing import metrics
from routing.effects import DialCustomer, Effect, HangUp, RingAgent, Say
from routing.engine.lease import Lease
from routing.engine.phones import Phones
from routing.errors import Unavailable
from routing.events import LegGone, NetworkEvent
from routing.store import interactions
from routing.store.database import Pool

log = structlog.get_logger()


class Actor:
    """`hear` takes the event that stands for a call not started."""

    def __init__(self, pool: Pool, lease: Lease, phones: Phones, hear: Callable[[str, NetworkEvent], None]) -> None:
        self._pool = pool
        self._lease = lease
        self._phones = phones
        self._hear = hear

    async def perform_all(self, interaction_id: UUID, effects: tuple[Effect, ...], since: float) -> None:
        """`since` is when the event that caused them came in, in monotonic seconds."""
        for effect in effects:
            await self._perform(interaction_id, effect, since)

    async def _perform(self, interaction_id: UUID, effect: Effect, since: float) -> None:
        if isinstance(effect, RingAgent | DialCustomer) and not self._lease.valid:
            log.warning("no lease: call not started", leg=effect.leg)
            await self._phones.perform(HangUp(effect.leg))  # it may have been set up already
            self._hear(effect.leg, LegGone(effect.leg, refused=True))
            return
        if isinstance(effect, Say):
            effect = await self._spoken(interaction_id, effect)
        await self._phones.perform(effect)
        if isinstance(effect, DialCustomer):
            metrics.ACCEPT_TO_DIAL.observe(time.monotonic() - since)

    async def _spoken(self, interaction_id: UUID, say: Say) -> Say:
        """With the place in line as it is when it is said. A waiting time nobody knows is not said."""
        if not {"position", "wait"} & set(say.words):
            return say
        known = {"position": await self._place(interaction_id), "wait": ()}
        words = tuple(spoken for word in say.words for spoken in known.get(word, (word,)))
        return replace(say, words=words)

    async def _place(self, interaction_id: UUID) -> tuple[str, ...]:
        try:
            return prompts.position(await interactions.position(self._pool, interaction_id))
        except Unavailable:
            return ()
