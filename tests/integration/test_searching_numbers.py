"""Who may not see numbers does not find out by guessing them who waits: tried with an agent's token.

VICTIM waits to be called back and is masked; STRANGER is a number like it of which nothing is known.
"""

import json
from typing import Any
from uuid import UUID

import pytest
from api_service import QUICK, Service

from routing.core.interaction import Stage

VICTIM, STRANGER, MINE = "+4915112345678", "+4915112355678", "+4915198765432"


@pytest.fixture
async def victim(service: Service) -> UUID:
    """What waits for VICTIM: the third request of the day, of somebody who was called as often as the rules allow."""
    await service.queue("support", numbers=["600"], workflow=QUICK, limits={"dials_per_number": 1})
    await service.agent("1001", "support")
    for _ in range(2):
        gone = await service.callback(number=VICTIM)
        assert (await service.ask("POST", f"interactions/{gone}/cancel")).status == 200
    await service.engine.pool.execute(
        "INSERT INTO attempts (id, interaction, n, agent, started_at, ended_at, outcome)"
        " VALUES (md5('1'), $1, 1, '1001', now(), now(), 'busy')",
        gone,
    )
    return await service.callback(number=VICTIM)


async def mine(service: Service) -> UUID:
    """A callback the agent works on, whose number they see and may change."""
    it = await service.callback(number=MINE)
    assert (await service.ask("POST", f"interactions/{it}/pickup", "1001")).status == 200
    assert (await service.ask("POST", f"interactions/{it}/end-call", "1001")).status == 200
    assert (await service.stored(it)).stage is Stage.READY_TO_CALL
    return it


async def told(service: Service, number: str, method: str, path: str, **body: Any) -> tuple[int, Any]:
    """What the agent is answered, without the number that was asked about."""
    sent = {"json": body | {"number": number}} if body else {}
    answer = await service.ask(method, path.replace("NUMBER", number[1:]), "1001", **sent)
    return answer.status, json.loads(json.dumps(answer.body).replace(number, "NUMBER"))


LISTS = [
    f"interactions?{find}{status}{order}"
    for find in ("number=%2BNUMBER", "q=NUMBER", "q=%2BNUMBER", "number=%2BNUMBER&subtype=callback&queue=support")
    for status in ("", "&status=closed&status=open")
    for order in ("", "&order=line", "&order=entered_at")
]


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_that_is_asked_for_a_number_is_the_same_whether_it_waits_or_not(
    service: Service, victim: UUID, path: str
) -> None:
    waits, nobody = [await told(service, number, "GET", path) for number in (VICTIM, STRANGER)]

    assert waits == nobody == (200, {"items": [], "next_cursor": None})
    everything = (await service.ask("GET", "interactions", "1001")).body["items"]
    assert [(each["id"], each["number"]) for each in everything] == [(str(victim), "+49******678")]


@pytest.mark.usefixtures("victim")
async def test_the_check_tells_an_agent_nothing_of_what_was_asked_for_and_dialled_before(service: Service) -> None:
    waits, nobody = [
        await told(service, number, "POST", "numbers/check", queue="support") for number in (VICTIM, STRANGER)
    ]
    supervisors = await service.ask(
        "POST", "numbers/check", "supervisor", json={"queue": "support", "number": VICTIM}
    )

    waits[1].pop("callable_from"), nobody[1].pop("callable_from")  # now
    assert waits == nobody
    assert (waits[1]["allowed"], waits[1]["rule"]) == (True, None)
    assert (supervisors.body["allowed"], supervisors.body["rule"]) == (False, "requests_per_number")


async def test_a_request_for_a_number_that_waits_names_nobody(service: Service, victim: UUID) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK, limits={"requests_per_number": None})
    asked = {"queue": "support", "number": VICTIM}

    agents = await service.ask("POST", "callbacks", "1001", json=asked)
    again = await service.ask("POST", "callbacks", "1001", json=asked, headers={"Idempotency-Key": "1"})
    supervisors = await service.ask("POST", "callbacks", "supervisor", json=asked)

    for answer in (agents, again):
        assert (answer.status, answer.body["code"], answer.body["interaction"]) == (409, "duplicate_callback", None)
        assert str(victim) not in json.dumps(answer.body)
    assert supervisors.body["interaction"] == str(victim)


async def test_a_number_tried_on_ones_own_callback_names_nobody_either(service: Service, victim: UUID) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK, limits={"requests_per_number": None})
    it = await mine(service)

    tried = await service.ask("PATCH", f"interactions/{it}", "1001", json={"number": VICTIM})

    assert (tried.status, tried.body["code"], tried.body["interaction"]) == (409, "duplicate_callback", None)
    assert str(victim) not in json.dumps(tried.body)
    assert (await service.stored(it)).number == MINE


async def test_who_works_on_it_already_is_told_that_it_is_this_one(service: Service, victim: UUID) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK, limits={"requests_per_number": None})
    it = await mine(service)

    again = await service.ask("POST", "callbacks", "1001", json={"queue": "support", "number": MINE})

    assert (again.status, again.body["interaction"]) == (409, str(it))


@pytest.mark.parametrize("way", ["POST", "PATCH"])
async def test_guesses_end_after_as_many_as_may_be_asked_for_and_then_all_answers_are_alike(
    service: Service, victim: UUID, way: str
) -> None:
    """Whether a request is taken cannot be hidden from who may make it; how often it may be tried is limited."""
    it = await mine(service)
    limits = {"requests_per_number": None, "requests_per_agent": 5}
    await service.queue("support", numbers=["600"], workflow=QUICK, limits=limits)

    async def guess(number: str) -> tuple[int, Any]:
        if way == "POST":
            return await told(service, number, "POST", "callbacks", queue="support")
        return await told(service, number, "PATCH", f"interactions/{it}", instructions="")

    first = [(await guess(VICTIM))[0] for _ in range(5)]
    assert first == [409] * 5, "refused ones count"
    waits, nobody = await guess(VICTIM), await guess(STRANGER)
    for each in (waits, nobody):
        assert each[0] == 429
    assert waits == nobody
