"""What Asterisk holds against what we believe, again and again: once is a moment's delay, twice is a loss."""

from uuid import uuid4

from api_service import CUSTOMER, QUICK, Service

from routing.core.effects import DestroyBridge, HangUp
from routing.core.events import CallerArrived
from routing.core.interaction import BRIDGE, Status
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.sweeping import Sweeper

WAITS = {"steps": []}
ORPHAN = "0" * 32


async def test_a_leg_nobody_owns_is_hung_up_when_it_is_seen_twice(service: Service) -> None:
    sweeper, seen = Sweeper(service.engine), Alive({ORPHAN: ChannelState.DOWN}, ours=(ORPHAN,))
    await sweeper.look(seen)
    assert service.phones.asked == []
    await sweeper.look(seen)
    await service.settled()
    assert service.phones.asked == [HangUp(ORPHAN)]


async def test_after_contact_was_lost_it_counts_from_anew(service: Service) -> None:
    sweeper, seen = Sweeper(service.engine), Alive({ORPHAN: ChannelState.DOWN}, ours=(ORPHAN,))
    await sweeper.look(seen)
    sweeper.forget()
    await sweeper.look(seen)
    assert service.phones.asked == []


async def test_a_caller_who_is_not_there_any_more_has_hung_up(service: Service) -> None:
    await service.queue(numbers=["600"], workflow=WAITS)
    interaction_id = await service.call_in()
    sweeper, changed = Sweeper(service.engine), service.changes()
    await sweeper.look(Alive({}))
    await sweeper.look(Alive({}))
    it = await changed.until(lambda it: it.id == interaction_id and it.status is Status.CLOSED)
    assert it.outcome == "short_abandon"


async def test_a_caller_whose_arrival_was_not_told_is_let_in(service: Service) -> None:
    await service.queue(numbers=["600"], workflow=WAITS)
    sweeper, changed = Sweeper(service.engine), service.changes()
    seen = Alive({"caller-9": ChannelState.UP}, callers=(CallerArrived("caller-9", "600", CUSTOMER),))
    await sweeper.look(seen)
    await sweeper.look(seen)
    it = await changed.until(lambda it: bool(it.legs))
    assert it.legs[0].id == "caller-9"


async def test_a_caller_who_was_let_go_and_is_still_there_is_hung_up(service: Service) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.callback()
    leg = await service.engine.pool.fetchval("SELECT id FROM legs")
    seen = Alive({leg: ChannelState.UP}, callers=(CallerArrived(leg, "600", CUSTOMER),))
    sweeper = Sweeper(service.engine)
    await sweeper.look(seen)
    service.phones.asked.clear()
    await sweeper.look(seen)
    await service.settled()
    assert service.phones.asked == [HangUp(leg)]


async def test_a_bridge_in_which_nobody_can_meet_is_cleared_away(service: Service) -> None:
    bridge = f"{BRIDGE}{uuid4().hex}"
    sweeper = Sweeper(service.engine)
    for _ in range(2):
        await sweeper.look(Alive({}, bridges=(bridge, "somebody-elses")))
    await service.settled()
    assert service.phones.asked == [DestroyBridge(bridge)]
