"""Who may force what over HTTP, and what is told of it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api_service import QUICK, Answer, Service

from routing.core.effects import DestroyBridge, HangUp
from routing.core.events import LegAnswered, LegRinging
from routing.core.interaction import Role, Stage, Status
from routing.store import agents, tokens

REASON = {"reason": "gone home"}


@pytest.fixture(autouse=True)
async def queue(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK)
    for agent in ("1001", "1002"):
        await service.agent(agent, "support")


async def release(service: Service, who: str = "supervisor", agent: str = "1001", **body: Any) -> Answer:
    return await service.ask("POST", f"agents/{agent}/release", who, json=body or REASON)


async def offered(service: Service) -> UUID:
    interaction_id = await service.callback()  # before anybody is ready, who would be offered the caller
    changed = service.changes()
    await service.ask("PUT", "agents/1001/state", "1001", json={"state": "ready"})
    await changed.until(lambda it: it.status is Status.OFFERED)
    return interaction_id


async def talking(service: Service) -> UUID:
    interaction_id = await service.callback()
    changed = service.changes()
    assert (await service.ask("POST", f"interactions/{interaction_id}/pickup", "1001")).status == 200
    for role in (Role.AGENT, Role.CUSTOMER):
        it = await service.stored(interaction_id)
        if it.leg(role) is None:
            it = await changed.until(lambda it, role=role: it.leg(role) is not None)
        leg = it.leg(role)
        assert leg
        service.engine.hear(leg.id, LegRinging(leg.id))
        service.engine.hear(leg.id, LegAnswered(leg.id))
    await changed.until(lambda it: it.stage is Stage.TALKING)
    return interaction_id


@pytest.mark.parametrize(
    ("who", "status"), [("supervisor", 200), ("admin", 200), ("1001", 403), ("1002", 403), ("auditor", 403)]
)
async def test_supervisors_and_administrators_free_agents_and_nobody_else(
    service: Service, who: str, status: int
) -> None:
    await offered(service)
    assert (await release(service, who)).status == status
    assert ((await agents.get(service.engine.pool, "1001")).work is None) == (status == 200)


async def test_nobody_frees_themselves_whatever_their_role(service: Service) -> None:
    service.tokens["chief"] = await tokens.issue(service.engine.pool, "supervisor", "1001")
    await offered(service)

    refused = await release(service, "chief")

    assert (refused.status, refused.body["code"]) == (403, "forbidden")
    assert (await release(service, "chief", "1002")).status == 200


@pytest.mark.parametrize(
    ("agent", "body", "code"),
    [
        ("9999", REASON, "not_found"),
        ("1001", {"reason": ""}, "invalid"),
        ("1001", {"because": "x"}, "invalid"),
        ("1001", {"reason": "x" * 201}, "invalid"),
    ],
)
async def test_an_agent_there_is_not_and_no_reason_are_refused(
    service: Service, agent: str, body: dict[str, str], code: str
) -> None:
    assert (await release(service, agent=agent, **body)).body["code"] == code


async def test_of_many_releases_at_once_one_is_told_and_all_find_the_agent_free(service: Service) -> None:
    interaction_id = await talking(service)

    answers = await asyncio.gather(*(release(service) for _ in range(10)))

    assert {(each.status, each.body["interaction"]) for each in answers} == {(200, None)}
    lines = (await service.ask("GET", f"interactions/{interaction_id}/feed?limit=200")).body["items"]
    told = [(each["actor"], each["data"]) for each in lines if each["event"] == "agent_released"]
    assert told == [("operator:supervisor", {"agent": "1001", "reason": "gone home"})]
    it = await service.stored(interaction_id)
    assert (it.status, it.stage, it.assigned_to) == (Status.BOT, Stage.APOLOGY, None)
    assert any(isinstance(each, DestroyBridge) for each in service.phones.asked)


async def test_an_agent_who_is_at_nothing_stays_as_they_are(service: Service) -> None:
    before = (await service.ask("GET", "agents/1001")).body
    assert (await release(service)).body == before


async def test_a_freed_agent_is_told_on_the_live_stream(service: Service) -> None:
    headers = {"Authorization": f"Bearer {await service.token('1001')}"}
    async with service.http.ws_connect(f"{service.url}/api/v1/stream", headers=headers) as socket:
        await offered(service)
        await release(service)
        async with asyncio.timeout(5):
            async for message in socket:
                if message.json()["type"] == "offer_withdrawn":
                    break
        assert message.json()["reason"] == "released"


@pytest.mark.parametrize("who", ["supervisor", "admin"])
async def test_whoever_has_the_call_supervisors_end_it_and_again_is_no_error(service: Service, who: str) -> None:
    interaction_id = await talking(service)
    path = f"interactions/{interaction_id}/end-call"
    assert (await service.ask("POST", path, "1002")).status == 403
    assert (await service.ask("POST", path, "auditor")).status == 403

    ended = await service.ask("POST", path, who)
    again = await service.ask("POST", path, who)

    assert (ended.status, ended.body["stage"]) == (200, "ready_to_call")
    assert (again.status, again.body["version"]) == (200, ended.body["version"])
    legs = {each.leg for each in service.phones.asked if isinstance(each, HangUp)}
    assert len(legs) >= 2


async def test_a_caller_in_the_line_is_hung_up_by_a_supervisor_and_not_by_an_agent(service: Service) -> None:
    interaction_id = await service.call_in("600")
    path = f"interactions/{interaction_id}/end-call"

    assert (await service.ask("POST", path, "1001")).status == 403
    ended = await service.ask("POST", path, "supervisor")

    assert (ended.body["status"], ended.body["outcome"]) == ("closed", "ended_by_operator")
