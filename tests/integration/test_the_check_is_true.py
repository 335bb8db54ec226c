"""What POST /numbers/check says of a number is what happens to it; a queue that takes no call backs takes none."""

from typing import Any

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.events import DigitPressed, PickedUp
from routing.core.interaction import Role, Stage, Status, Subtype


async def settings(service: Service, **those: Any) -> None:
    await service.queue("support", **{"numbers": ["600"], "workflow": QUICK, **those})
    await service.agent("1001", "support")


async def check(service: Service, who: str = "supervisor") -> tuple[bool, str | None]:
    answer = await service.ask("POST", "numbers/check", who, json={"queue": "support", "number": CUSTOMER})
    assert answer.status == 200, answer
    assert answer.body["explanation"]
    return answer.body["allowed"], answer.body["rule"]


async def asked(service: Service) -> tuple[int, str | None]:
    answer = await service.ask("POST", "callbacks", json={"queue": "support", "number": CUSTOMER})
    return answer.status, answer.body.get("rule")


@pytest.mark.parametrize("who", ["supervisor", "1001"])
async def test_a_queue_whose_callbacks_are_not_made_at_the_moment_says_so(service: Service, who: str) -> None:
    await settings(service)
    assert await check(service, who) == (True, None)
    await service.ask("PUT", "queues/support/switches", json={"process": False})

    assert await check(service, who) == (False, "process")

    assert await asked(service) == (201, None), "what was promised is made when the switch is on again"


async def test_a_number_that_was_called_often_enough_is_not_called_now_and_the_check_says_so(
    service: Service,
) -> None:
    await settings(service, limits={"dials_per_number": 1, "requests_per_number": None})
    it = await service.callback()
    first = await service.engine.ask(it, PickedUp("1001"))
    await service.engine.pool.execute(
        "INSERT INTO attempts (id, interaction, n, agent, started_at, ended_at, outcome)"
        " VALUES (md5('1'), $1, 9, '1001', now(), now(), 'busy')",
        first.id,
    )
    assert first.leg(Role.AGENT)

    assert await check(service) == (False, "dials_per_number")


@pytest.mark.parametrize("who", ["supervisor", "1001"])
async def test_a_queue_that_takes_no_call_backs_says_so_and_takes_none(service: Service, who: str) -> None:
    await settings(service, callback={"enabled": False})

    assert await check(service, who) == (False, "enabled")
    assert await asked(service) == (422, "enabled")


async def test_one_that_takes_none_any_more_keeps_what_it_promised_and_offers_no_more(service: Service) -> None:
    await settings(service)
    promised = await service.callback()
    await settings(service, callback={"enabled": False})
    service.engine.queues_changed("support")

    taken = await service.ask("POST", f"interactions/{promised}/pickup", "1001")

    assert (taken.status, taken.body["status"]) == (200, "connected")
    it = await service.stored(await service.call_in(number="+4915112345679"))
    assert (it.status, it.subtype, it.wake_at) == (Status.OPEN, Subtype.INBOUND, None), "nothing is offered"


async def test_who_is_in_the_menu_as_call_backs_are_switched_off_is_told_so_and_waits_on(service: Service) -> None:
    await settings(service)
    changed = service.changes()
    interaction_id = await service.call_in()
    it = await service.stored(interaction_id)
    if it.stage is not Stage.MENU:
        it = await changed.until(lambda it: it.stage is Stage.MENU)
    await settings(service, callback={"enabled": False})
    service.engine.queues_changed("support")
    caller = it.leg(Role.CALLER)
    assert caller

    service.engine.hear(caller.id, DigitPressed(caller.id, "2"))

    it = await changed.until(lambda it: it.stage is Stage.ANNOUNCING)
    assert (it.status, it.waiting.words, it.request.requested_at) == (Status.OPEN, ("cannot-call-back",), None)
