"""The slow look at Asterisk that makes its news a guarantee: where it and we disagree twice in a row, an
event was lost, and it is put right. Counterpart: `recovery`, which does so at once after every new contact."""

import structlog

from routing.core.events import CallerArrived, LegGone
from routing.core.interaction import bridge_owner
from routing.engine.engine import Engine
from routing.engine.phones import Alive
from routing.runtime import metrics
from routing.store import interactions

log = structlog.get_logger()

EVERY = 4.0
"""Seconds between two looks: an orphan is ended within ten."""


class Sweeper:
    """`look` again and again; what was told a moment ago may still be on its way, so once is no reason to act."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._apart: set[str] = set()

    def forget(self) -> None:
        """Contact was lost: what was seen before counts for nothing."""
        self._apart = set()

    async def look(self, alive: Alive) -> None:
        """Raises Unavailable; then nothing is remembered but what was seen."""
        engine, before = self._engine, self._apart
        orphans = {leg for leg in alive.ours if not engine.knows(leg)}
        ghosts = {leg for leg in engine.legs() if leg not in alive.channels}
        strangers = {caller.leg: caller for caller in alive.callers if not engine.knows(caller.leg)}
        bridges = {bridge for bridge in alive.bridges if self._nobodys(bridge)}
        left = engine.leaving() - {caller.leg for caller in alive.callers}
        leaving = engine.leaving() - left
        self._apart = orphans | ghosts | strangers.keys() | bridges | left
        engine.have_left(left & before)
        for leg in sorted(orphans & before):
            if not engine.expects(leg):
                self._tell("orphan", leg)
                engine.end_orphan(leg)
        for leg in sorted(ghosts & before):
            if not engine.expects(leg):
                self._tell("ghost", leg)
                engine.hear(leg, LegGone(leg, certain=False))
        for bridge in sorted(bridges & before):
            self._tell("bridge", bridge)
            engine.end_bridge(bridge)
        seen_twice = [caller for leg, caller in strangers.items() if leg in before]
        for caller in seen_twice:
            if caller.leg in leaving:
                self._tell("leaving", caller.leg)
                engine.send_back_again(caller.leg)
        await self._let_in([caller for caller in seen_twice if caller.leg not in leaving])

    async def _let_in(self, strangers: list[CallerArrived]) -> None:
        """Callers whose arrival, or whose end, did not come through."""
        if not strangers:
            return
        had = await interactions.known_legs(self._engine.pool, [caller.leg for caller in strangers])
        for caller in strangers:
            self._tell("stranger", caller.leg)
            if caller.leg in had:
                self._engine.end_orphan(caller.leg)
            else:
                self._engine.arrive(caller)

    def _nobodys(self, bridge: str) -> bool:
        owner = bridge_owner(bridge)
        return owner is not None and not self._engine.holds(owner)

    def _tell(self, what: str, name: str) -> None:
        metrics.PUT_RIGHT.labels(what=what).inc()
        log.warning("put right", what=what, name=name)
