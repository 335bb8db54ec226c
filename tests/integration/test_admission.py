"""What the acceptance tests of admission cannot make happen at will: a caller who was answered in our absence."""

import asyncio

import pytest
from api_service import CUSTOMER, Service

from routing.core.effects import Answer, Effect, Refusal, Refuse
from routing.core.events import CallerArrived

OTHER = "+4915187654321"


async def test_who_waited_in_the_dialplan_is_let_in_though_the_queue_is_full(service: Service) -> None:
    await service.queue(numbers=["600"], admission={"calls": 1})
    await service.call_in(number=CUSTOMER)
    changed = service.changes()
    service.engine.arrive(CallerArrived("waited", "600", OTHER, answered=True))
    it = await changed.until(lambda it: bool(it.leg_with("waited")))
    assert Answer("waited", it.id.hex) in service.phones.asked


@pytest.mark.parametrize("number", ["015112345678", "004915112345678", "+4915112345678"])
async def test_one_caller_is_known_however_the_trunk_writes_the_number(service: Service, number: str) -> None:
    await service.queue(numbers=["600"], admission={"calls_per_number": 1})
    changed = service.changes()
    service.engine.arrive(CallerArrived("first", "600", number))
    await changed.until(lambda it: bool(it.leg_with("first")))
    service.engine.arrive(CallerArrived("second", "600", number))
    assert await last_effect(service) == Refuse("second", Refusal.BUSY)


async def test_who_is_one_too_many_leaves_no_row(service: Service) -> None:
    await service.queue(numbers=["600"], admission={"calls": 1})
    await service.call_in(number=CUSTOMER)
    service.engine.arrive(CallerArrived("too-many", "600", OTHER))
    assert await last_effect(service) == Refuse("too-many", Refusal.BUSY)
    listed = await service.ask("GET", "interactions")
    assert [it["number"] for it in listed.body["items"]] == [CUSTOMER]
    metrics = (await service.ask("GET", "/metrics")).body.decode()
    assert 'ringback_calls_refused_total{why="calls"}' in metrics


async def last_effect(service: Service) -> Effect:
    """Once all that was told is handled."""
    handled = asyncio.get_running_loop().create_future()

    async def tell() -> None:
        handled.set_result(None)

    service.engine.when_handled(tell)
    await handled
    return service.phones.asked[-1]
