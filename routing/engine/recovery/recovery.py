"""Recovery, a normal path: the rows against what Asterisk holds, and the missed events replayed in order."""

from collections.abc import Collection
from functools import partial

import structlog

from routing.core.events import LegAnswered, LegGone, LegRinging, NetworkEvent, ServiceRestarted
from routing.core.interaction import Interaction, Leg, LegState, Role, bridge_owner
from routing.engine.engine import Engine
from routing.engine.phones import Alive, ChannelState
from routing.store import interactions, shards

log = structlog.get_logger()


async def reconcile(engine: Engine, alive: Alive) -> None:
    """Adopt every living interaction, replay what it missed, let in callers nobody knows, end orphans."""
    shard, epoch = engine.lease.ownership.shard, engine.lease.ownership.epoch
    made = {leg for leg in engine.legs() if not engine.expects(leg)}
    known = await interactions.known_legs(engine.pool, list(alive.channels))
    living, unread = await interactions.load_living(engine.pool, shard)
    engine.leave_alone(unread)
    life = await shards.asterisk_life(engine.pool, shard)
    anew = None not in (life, alive.started) and life != alive.started
    made_since = {*engine.legs()} - made
    for it in living:
        engine.adopt(it)
        for event in missed(it, alive, made_since, anew=anew):
            engine.tell(it.id, event)
    if alive.started and life != alive.started:
        engine.when_handled(partial(shards.remember_asterisk_life, engine.pool, shard, epoch, alive.started))
    inside = {caller.leg for caller in alive.callers}  # others wait in the dialplan, and ask again by themselves
    engine.have_left(engine.leaving() - inside)
    leaving = engine.leaving()
    not_new = known | made | leaving  # who was being let in may have been sent back since
    for caller in alive.callers:
        if caller.leg not in not_new:
            engine.arrive(caller)
    wanted = {leg.id for it in living for leg in it.legs} | unread.legs | leaving
    orphans = {*alive.ours, *(inside & known)} - wanted
    for leg in sorted(orphans):
        engine.end_orphan(leg)
    ours = {it.id for it in living} | unread.interactions
    for bridge in alive.bridges:
        if (owner := bridge_owner(bridge)) and owner not in ours:
            engine.end_bridge(bridge)
    log.info("reconciled", living=len(living), channels=len(alive.channels), orphans=len(orphans), anew=anew)


def missed(
    it: Interaction, alive: Alive, made_since: Collection[str] = (), *, anew: bool = False
) -> list[NetworkEvent]:
    """What the interaction would have heard, and that contact is back. Ends come first: they decide the rest.

    `made_since`: legs that are younger than this look at Asterisk, or were just being set up; it is no wonder
    that they are not there. `anew`: Asterisk was started anew, so what is gone was not hung up by anybody but
    lost by us.
    """
    gone = [event for leg in it.legs for event in _end(leg, alive, made_since, anew=anew)]
    news = [each for leg in it.legs if (each := _progress(leg, alive.channels.get(leg.id)))]
    return [*gone, *news, ServiceRestarted(it.bridge in alive.bridges)]


def _end(leg: Leg, alive: Alive, made_since: Collection[str], *, anew: bool) -> tuple[NetworkEvent, ...]:
    """What is told of a leg that is not there any more."""
    if leg.id in alive.channels:
        return ()
    told = alive.told.get(leg.id, ())
    if any(isinstance(each, LegGone) for each in told):
        return told
    if leg.id in made_since or (_asked_again(leg) and not anew):
        return ()
    return (*told, LegGone(leg.id, certain=False, lost=anew))


def _asked_again(leg: Leg) -> bool:
    """An agent's leg that was only asked for is asked for again: ringing twice harms nobody. A customer's never is:
    whether its call went out is not known (exactly-once dialling)."""
    return leg.role is Role.AGENT and leg.state is LegState.REQUESTED


def _progress(leg: Leg, state: ChannelState | None) -> NetworkEvent | None:
    if state is ChannelState.UP and leg.state is not LegState.UP:
        return LegAnswered(leg.id)
    if state is ChannelState.RINGING and leg.state is LegState.REQUESTED:
        return LegRinging(leg.id)
    return None
