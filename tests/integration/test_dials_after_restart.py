"""A dial was stored and may never have left, and a service comes back to it: the number rules count anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_service import QUICK, Service

from routing.core.effects import DialCustomer, HangUp
from routing.core.events import LegAnswered
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status
from routing.core.queues import Queue
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import reconcile
from routing.store import number_rules, queues
from routing.store.database import connection

LIMITS = {"dials_per_number": 1}


async def dialling(service: Service, **settings: Any) -> Interaction:
    """The dial is stored, and asked for once; Asterisk has told nothing of it."""
    await service.queue(numbers=["600"], workflow=QUICK, **settings)
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    it = await service.engine.agents.pick_up("1001", interaction_id)
    agent, changed = it.leg(Role.AGENT), service.changes()
    assert agent
    service.engine.hear(agent.id, LegAnswered(agent.id))
    it = await changed.until(lambda now: now.id == interaction_id and now.stage is Stage.DIALING)
    assert dials(service) == [False]
    return it


async def back_in_contact(service: Service, it: Interaction) -> Interaction:
    """The service found its legs: the agent's up, the customer's set up and not dialled."""
    agent, customer = it.leg(Role.AGENT), it.leg(Role.CUSTOMER)
    assert agent and customer
    changed = service.changes()
    alive = Alive({agent.id: ChannelState.UP, customer.id: ChannelState.DOWN}, ours=(agent.id, customer.id))
    await reconcile(service.engine, alive)
    return await changed.until(lambda now: now.id == it.id)


def dials(service: Service) -> list[bool]:
    return [each.made for each in service.phones.asked if isinstance(each, DialCustomer)]


async def test_it_is_dialled_again_as_the_same_attempt_even_where_one_dial_is_all_there_may_be(
    service: Service,
) -> None:
    it = await dialling(service, limits=LIMITS)
    again = await back_in_contact(service, it)
    assert dials(service) == [False, True]
    assert again.stage is Stage.DIALING and again.attempts == it.attempts


async def test_it_is_not_dialled_again_when_another_call_has_used_up_the_limit_meanwhile(service: Service) -> None:
    it = await dialling(service, limits=LIMITS)
    started = datetime.now(UTC)
    async with connection(service.engine.pool) as c:  # in another queue, by another process
        await c.execute(
            "INSERT INTO attempts (id, interaction, n, agent, started_at, ended_at, outcome)"
            " VALUES ($1, $2, 7, '1001', $3, $3, 'busy')",
            "f" * 32, it.id, started,
        )  # fmt: skip
    held = await back_in_contact(service, it)
    assert dials(service) == [False] and held.status is Status.OPEN
    assert held.place.not_before and held.place.not_before >= started + timedelta(hours=24)


@pytest.mark.parametrize("what", ["listed", "denied", "switched off", "closed for the night"])
async def test_it_is_not_dialled_again_when_a_rule_has_come_meanwhile(service: Service, what: str) -> None:
    it = await dialling(service)
    await forbid(service, it, what)
    refused = await back_in_contact(service, it)
    assert dials(service) == [False]
    never = what in ("listed", "denied")
    assert (refused.status, refused.outcome) == ((Status.CLOSED, "blocked") if never else (Status.OPEN, None))
    assert refused.attempts[-1].outcome is Outcome.UNKNOWN and not refused.legs
    hung_up = {each.leg for each in service.phones.asked if isinstance(each, HangUp)}
    assert hung_up >= {leg.id for leg in it.legs}


async def forbid(service: Service, it: Interaction, what: str) -> None:
    """By another process: nobody tells the engine."""
    pool = service.engine.pool
    stored = await queues.get(pool, "support")
    known = stored.queue.model_dump(mode="json")
    match what:
        case "listed":
            await number_rules.do_not_call(pool, it.number or "", "operator:admin", None)
        case "denied":
            await queues.put(pool, Queue.model_validate({**known, "numbers_denied": ["+49151"]}))
        case "switched off":
            await queues.switch(pool, "support", register=True, process=False)
        case _:
            hour = (datetime.now(UTC) + timedelta(hours=12)).hour % 23
            dial = {**known["dial"], "window": [f"{hour:02}:00", f"{hour + 1:02}:00"]}
            await queues.put(pool, Queue.model_validate({**known, "dial": dial}))
