"""Recovery, a normal path: the rows against what Asterisk holds, and the missed events replayed in order."""

from typing import TYPE_CHECKING

import structlog

from routing.effects import Part
from routing.engine.phones import Alive, ChannelState
from routing.events import LegAnswered, LegGone, LegRinging, NetworkEvent, ServiceRestarted
from routing.interaction import BRIDGE, Interaction, Leg, LegState, Role
from routing.store import interactions

if TYPE_CHECKING:
    from routing.engine.engine import Engine

log = structlog.get_logger()


async def reconcile(engine: "Engine", alive: Alive) -> None:
    """Adopt every living interaction, replay what it missed, let in callers nobody knows, end orphans."""
    known = await interactions.known_legs(engine.pool, list(alive.channels))
    living = await interactions.load_living(engine.pool, engine.lease.ownership.shard)
    for it in living:
        engine.adopt(it)
        for event in missed(it, alive):
            engine.tell(it.id, event)
    for caller in alive.callers:
        if caller.leg not in known:
            engine.arrive(caller)
    wanted = {leg.id for it in living for leg in it.legs}
    orphans = ({*alive.ours, *known}) - wanted
    for leg in orphans:
        await engine.end_orphan(leg)
    talking = {it.bridge for it in living}
    for bridge in alive.bridges:
        if bridge.startswith(BRIDGE) and bridge not in talking:
            await engine.perform(Part(bridge))
    log.info("reconciled", living=len(living), channels=len(alive.channels), orphans=len(orphans))


def missed(it: Interaction, alive: Alive) -> list[NetworkEvent]:
    """What the interaction would have heard, and that contact is back. Ends come first: they decide the rest."""
    gone: list[NetworkEvent] = [LegGone(leg.id, certain=False) for leg in it.legs if _is_gone(leg, alive)]
    news = [each for leg in it.legs if (each := _progress(leg, alive.channels.get(leg.id)))]
    return [*gone, *news, ServiceRestarted()]


def _is_gone(leg: Leg, alive: Alive) -> bool:
    """An agent's leg that was only asked for is asked for again instead: ringing twice harms nobody. A customer's
    never is: whether its call went out is not known (exactly-once dialling)."""
    asked_only = leg.role is Role.AGENT and leg.state is LegState.ASKED
    return leg.id not in alive.channels and not asked_only


def _progress(leg: Leg, state: ChannelState | None) -> NetworkEvent | None:
    if state is ChannelState.UP and leg.state is not LegState.UP:
        return LegAnswered(leg.id)
    if state is ChannelState.RINGING and leg.state is LegState.ASKED:
        return LegRinging(leg.id)
    return None
