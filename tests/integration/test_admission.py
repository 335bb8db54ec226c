"""What the acceptance tests of admission cannot make happen at will: a caller who was answered in our absence."""

import asyncio

from api_service import CUSTOMER, Service

from routing.effects import Answer, Refusal, Refuse
from routing.events import CallerArrived

OTHER = "+4915187654321"


async def test_who_waited_in_the_dialplan_is_let_in_though_the_queue_is_full(service: Service) -> None:
    await service.queue(numbers=["600"], admission={"calls": 1})
    await service.call_in(number=CUSTOMER)
    changed = service.changes()
    service.engine.arrive(CallerArrived("waited", "600", OTHER, answered=True))
    it = await changed.until(lambda it: bool(it.leg_with("waited")))
    assert Answer("waited", it.id.hex) in service.phones.asked


async def test_who_is_one_too_many_leaves_no_row(service: Service) -> None:
    await service.queue(numbers=["600"], admission={"calls": 1})
    await service.call_in(number=CUSTOMER)
    service.engine.arrive(CallerArrived("too-many", "600", OTHER))
    handled = asyncio.get_running_loop().create_future()

    async def tell() -> None:
        handled.set_result(None)

    service.engine.when_handled(tell)
    await handled
    assert service.phones.asked[-1] == Refuse("too-many", Refusal.BUSY)
    listed = await service.ask("GET", "interactions")
    assert [it["number"] for it in listed.body["items"]] == [CUSTOMER]
    metrics = (await service.ask("GET", "/metrics")).body.decode()
    assert 'ringback_calls_refused_total{why="calls"}' in metrics
