"""Carries out the effects of a stored decision, in their order. Without the lease no call is started."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from routing.core.effects import DialCustomer, Effect, RingAgent
from routing.core.events import Heard, LegGone
from routing.engine.clock import Clock
from routing.engine.lease import Lease
from routing.engine.phones import MayCall, Phones
from routing.runtime import metrics

log = structlog.get_logger()

LATE = 0.5
"""Seconds after which no call is started any more for a decision that was made before: its time runs already, and the
agent, the window or the rules may be others."""


class Actor:
    """`hear` takes what Asterisk answers; `may_call` tells whether the call to a leg may still go out."""

    def __init__(
        self,
        clock: Clock,
        lease: Lease,
        phones: Phones,
        hear: Callable[[str, Heard], None],
        may_call: MayCall,
    ) -> None:
        self._clock = clock
        self._lease = lease
        self._phones = phones
        self._hear = hear
        self._may_call = may_call

    async def perform_all(self, effects: tuple[Effect, ...], since: float) -> None:
        """`since` is when the event that caused them came in, in monotonic seconds. They wait as long as it is in
        doubt whose the shard is: the decision stands, and nothing else asks for them. Calls are not made late."""
        began = self._clock.monotonic()
        if effects:
            await self._lease.certain()
        late = self._clock.monotonic() - began > LATE
        for effect in effects:
            with self._by_itself(effect):
                await self._perform(effect, since, late=late)

    async def perform(self, effect: Effect) -> None:
        """Anything at all, unless the shard may be another's."""
        with self._by_itself(effect):
            await self._act(effect)

    @contextmanager
    def _by_itself(self, effect: Effect) -> Iterator[None]:
        """An error nobody has thought of costs this effect only. Whether a call went out is not known then, and no
        phone is to blame."""
        try:
            yield
        except Exception:
            log.exception("effect failed", effect=type(effect).__name__)
            if isinstance(effect, RingAgent | DialCustomer):
                lost = isinstance(effect, RingAgent)
                self._hear(effect.leg, LegGone(effect.leg, certain=False, lost=lost))

    async def _act(self, effect: Effect) -> None:
        if not await self._lease.may_act():
            log.warning("not ours to do", effect=type(effect).__name__)
            return
        if event := await self._phones.perform(effect, self._may_call):
            self._hear(event.leg, event)

    async def _perform(self, effect: Effect, since: float, *, late: bool) -> None:
        if isinstance(effect, RingAgent | DialCustomer) and (late or not await self._lease.may_call()):
            log.warning("call not started", leg=effect.leg, late=late)
            # It may have been set up already; by then it may also be another's, whom the epoch protects from this.
            lost = isinstance(effect, RingAgent)  # the phone is not to blame
            self._hear(effect.leg, LegGone(effect.leg, refused=True, certain=False, lost=lost))
            return
        await self._act(effect)
        if isinstance(effect, DialCustomer):
            metrics.ACCEPT_TO_DIAL.observe(self._clock.monotonic() - since)
