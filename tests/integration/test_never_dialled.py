"""A call that never went out: nobody has failed to answer it, neither the customer nor the agent."""

import asyncio

import pytest
from api_service import QUICK, Service
from test_engine_faults import quiet

from routing.core import retries
from routing.core.agents import Availability
from routing.core.effects import DialCustomer, Effect, HangUp
from routing.core.events import LegAnswered, LegGone
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status
from routing.engine.phones import KnownAtOnce, MayCall
from routing.store import agents


async def dialling(service: Service) -> Interaction:
    """An agent waits on the line for a customer who has a second to answer."""
    await service.queue(numbers=["600"], workflow=QUICK, dial={"ring_timeout": 1})
    await service.agent("1001", "support")
    callback, changed = await service.callback(), service.changes()
    agent = (await service.engine.agents.pick_up("1001", callback)).leg(Role.AGENT)
    assert agent
    service.engine.hear(agent.id, LegAnswered(agent.id))
    return await changed.until(lambda it: it.stage is Stage.DIALING)


async def test_the_customer_who_was_not_called_has_not_failed_to_answer(service: Service) -> None:
    service.phones.places = False
    changed = service.changes()
    attempt = (await dialling(service)).attempts[-1]
    it = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    assert it.attempts[-1].outcome is Outcome.UNKNOWN and retries.counted(it.tries) == 0
    await quiet(service, it.id)
    assert HangUp(attempt.id) in service.phones.asked, "should it go out all the same"


async def test_one_who_was_called_has_though_the_network_never_said_that_it_rings(service: Service) -> None:
    changed = service.changes()
    await dialling(service)
    it = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    assert it.attempts[-1].outcome is Outcome.NO_ANSWER and retries.counted(it.tries) == 1


async def test_the_agent_whose_phone_was_not_rung_stays_ready_and_is_offered_it_again(service: Service) -> None:
    service.phones.places = False
    offer = {"accept_timeout": 0.3}
    await service.queue(numbers=["600"], workflow={"steps": [], "loop": False}, offer=offer)
    await service.agent("1001", "support")
    call, changed = await service.call_in(), service.changes()
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    for status in (Status.OFFERED, Status.OPEN, Status.OFFERED):
        await changed.until(lambda it, status=status: it.id == call and it.status is status)
    assert (await agents.get(service.engine.pool, "1001")).availability is Availability.READY


@pytest.mark.parametrize(
    ("cause", "refused", "outcome"), [(486, False, Outcome.BUSY), (None, True, Outcome.NOT_DIALLED)]
)
async def test_an_end_that_waits_behind_the_time_to_answer_tells_more(
    service: Service, monkeypatch: pytest.MonkeyPatch, cause: int | None, refused: bool, outcome: Outcome
) -> None:
    """Asterisk takes its time over the dial, and the customer's end is heard before it is over."""
    answers, real, changed = asyncio.Event(), service.phones.perform, service.changes()

    async def perform(effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        if not isinstance(effect, DialCustomer):
            return await real(effect, may_call)
        await answers.wait()
        return None

    monkeypatch.setattr(service.phones, "perform", perform)
    it = await dialling(service)
    box, customer = service.engine._boxes[it.id], it.leg(Role.CUSTOMER)
    assert customer
    async with asyncio.timeout(5):
        while not box.waiting:  # noqa: ASYNC110  # until the time to answer is over
            await asyncio.sleep(0.01)
    service.engine.hear(customer.id, LegGone(customer.id, cause, refused=refused))
    answers.set()
    it = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    assert it.attempts[-1].outcome is outcome
