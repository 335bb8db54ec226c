"""One row that is locked, unreadable or cannot be decided, one answer that is lost: it costs only itself."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api_service import CUSTOMER, Changes, Service
from locks import locked

from routing.core.agents import Availability, PhoneState
from routing.core.effects import DestroyBridge, HangUp
from routing.core.errors import Unavailable
from routing.core.events import CallerArrived
from routing.core.interaction import Status
from routing.engine import deciding
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import reconcile
from routing.engine.recovery.sweeping import Sweeper
from routing.store import agents
from routing.store.database import Pool

SECOND = "+4915112345679"


async def two_wait(service: Service) -> tuple[UUID, UUID]:
    """Two callers, and an agent who is not ready yet."""
    await service.queue(numbers=["600"], workflow={"steps": [], "loop": False})
    first, second = await service.call_in(), await service.call_in(number=SECOND)
    await service.agent("1001", "support")
    return first, second


async def is_ready(service: Service) -> None:
    await service.engine.agents.set_availability("1001", Availability.READY, None)


async def test_a_locked_row_does_not_keep_the_agent_from_those_behind_it(service: Service, dsn: str) -> None:
    first, second = await two_wait(service)
    changed = service.changes()
    async with locked(dsn, "SELECT FROM interactions WHERE id = $1 FOR UPDATE", first):
        await is_ready(service)
        await changed.until(lambda it: it.id == second and it.status is Status.OFFERED)


async def test_nor_does_a_row_that_cannot_be_decided(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await two_wait(service)
    real, changed = deciding.decide, service.changes()

    def decide(it: Any, *others: Any) -> Any:
        if it.id == first:
            raise KeyError("a word of a newer version")
        return real(it, *others)

    monkeypatch.setattr(deciding, "decide", decide)
    await is_ready(service)
    await changed.until(lambda it: it.id == second and it.status is Status.OFFERED)


async def test_a_row_that_cannot_be_read_ends_neither_the_service_nor_its_call(service: Service, pool: Pool) -> None:
    first, second = await two_wait(service)
    await pool.execute("UPDATE interactions SET stage = 'dancing' WHERE id = $1", first)
    legs = service.engine.legs()
    callers = tuple(CallerArrived(leg, "600", CUSTOMER) for leg in legs)
    alive = Alive(
        dict.fromkeys((*legs, "9" * 32), ChannelState.UP),
        ours=("9" * 32,),
        callers=callers,
        bridges=(f"bridge-{first.hex}", "bridge-of-others"),
    )
    service.phones.asked.clear()
    await reconcile(service.engine, alive)
    sweeper = Sweeper(service.engine)
    await sweeper.look(alive)
    await sweeper.look(alive)
    await service.settled()
    assert {each for each in service.phones.asked if isinstance(each, HangUp | DestroyBridge)} == {HangUp("9" * 32)}
    found = await service.ask("GET", "interactions")
    assert [each["id"] for each in found.body["items"]] == [str(second)]


async def test_a_bridge_of_others_is_left_alone(service: Service) -> None:
    sweeper = Sweeper(service.engine)
    ours = f"bridge-{'0' * 32}"
    for _ in range(2):
        await sweeper.look(Alive({}, bridges=("bridge-of-others", "bridge-x", ours)))
    await reconcile(service.engine, Alive({}, bridges=("bridge-of-others",)))
    await service.settled()
    assert service.phones.asked == [DestroyBridge(ours)]


class OnceAway:
    """The first call is not answered; with `stores`, it is done nevertheless."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, *, stores: bool = False) -> None:
        self._real, self._stores, self._monkeypatch, self._name = getattr(agents, name), stores, monkeypatch, name
        monkeypatch.setattr(agents, name, self)

    async def __call__(self, *arguments: Any) -> Any:
        self._monkeypatch.setattr(agents, self._name, self._real)
        if self._stores:
            await self._real(*arguments)
        raise Unavailable("Postgres does not answer.")


async def offered(service: Service) -> tuple[UUID, Changes]:
    """The first in line is offered to the agent."""
    first, _ = await two_wait(service)
    changed = service.changes()
    await is_ready(service)
    await changed.until(lambda it: it.id == first and it.status is Status.OFFERED)
    return first, changed


async def test_an_offer_to_a_phone_that_went_is_withdrawn_though_postgres_did_not_answer_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, changed = await offered(service)
    OnceAway(monkeypatch, "offered_interaction")
    with pytest.raises(Unavailable):
        await service.engine.agents.phone_changed("1001", PhoneState.UNREACHABLE)
    await changed.until(lambda it: it.id == first and it.status is Status.OPEN)


async def test_who_logs_out_is_not_rung_on_though_the_commit_was_not_confirmed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, changed = await offered(service)
    OnceAway(monkeypatch, "set_availability", stores=True)
    with pytest.raises(Unavailable):
        await service.engine.agents.set_availability("1001", Availability.LOGGED_OUT, None)
    await changed.until(lambda it: it.id == first and it.status is Status.OPEN)


async def test_who_comes_back_before_postgres_answers_keeps_the_offer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await offered(service)
    OnceAway(monkeypatch, "set_availability")
    with pytest.raises(Unavailable):
        await service.engine.agents.set_availability("1001", Availability.LOGGED_OUT, None)
    await asyncio.wait(service.engine._tasks, timeout=5)
    assert (await service.stored(first)).status is Status.OFFERED
