"""The Home List and what agents do with interactions, over real HTTP, with the real engine behind it."""

import asyncio
from uuid import UUID, uuid4

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.agents import PhoneState
from routing.core.effects import DialCustomer, RingAgent
from routing.core.events import LegAnswered, LegGone, LegRinging
from routing.core.interaction import Interaction, Role, Stage, Status
from routing.store import interactions
from routing.store.database import Pool

KEYS = [
    "id",
    "status",
    "stage",
    "communication_type",
    "subtype",
    "kind",
    "queue",
    "number",
    "dialled_number",
    "assigned_to",
    "priority",
    "entered_at",
    "queued_at",
    "due_at",
    "promised_at",
    "expires_at",
    "attempts",
    "outcome",
    "disposition",
    "case_data",
    "instructions",
    "position",
    "version",
    "name",
    "callback_type",
    "time_zone",
    "not_before",
]  # in the contract's order, then what it allows to be added


@pytest.fixture(autouse=True)
async def two_queues(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK)
    await service.queue("sales", numbers=["601"], workflow={"steps": []})


async def until_talking(service: Service, it: Interaction) -> None:
    """The agent answers, the customer answers."""
    agent = it.leg(Role.AGENT)
    assert agent
    changed = service.changes()
    service.engine.hear(agent.id, LegRinging(agent.id))
    service.engine.hear(agent.id, LegAnswered(agent.id))
    it = await changed.until(lambda it: it.leg(Role.CUSTOMER))
    customer = it.leg(Role.CUSTOMER)
    assert customer
    service.engine.hear(customer.id, LegAnswered(customer.id))
    await changed.until(lambda it: it.stage is Stage.TALKING)


async def test_a_callback_looks_as_the_contract_says(service: Service) -> None:
    interaction_id = await service.callback()

    shown = (await service.ask("GET", f"interactions/{interaction_id}")).body

    assert list(shown) == KEYS
    expected = {
        "id": str(interaction_id),
        "status": "open",
        "stage": None,
        "communication_type": "voice",
        "subtype": "callback",
        "kind": "queued",
        "queue": "support",
        "number": CUSTOMER,
        "dialled_number": "600",
        "assigned_to": None,
        "attempts": [],
        "position": 1,
    }
    assert expected.items() <= shown.items()
    for name in ("entered_at", "queued_at", "expires_at"):
        assert shown[name].endswith("Z")


async def test_the_home_list_is_filtered_and_tells_places_in_line(service: Service) -> None:
    first = await service.callback(number="+4915112345601")
    second = await service.callback(number="+4915112345602")
    other = await service.call_in("601", "+4915112345603")

    async def listed(query: str) -> list[tuple[str, int | None]]:
        answer = await service.ask("GET", f"interactions?{query}")
        assert answer.status == 200, answer.body
        return [(each["id"], each["position"]) for each in answer.body["items"]]

    assert await listed("") == [(str(other), 1), (str(second), 2), (str(first), 1)]
    assert await listed("subtype=callback&order=entered_at") == [(str(first), 1), (str(second), 2)]
    assert await listed("queue=support&order=line") == [(str(first), 1), (str(second), 2)]
    assert await listed("number=%2B4915112345602") == [(str(second), 2)]
    assert await listed("number=+4915112345602") == [(str(second), 2)]
    for form in ("015112345602", "4915112345602", "0049151-12345602", "+49 (151) 12345602"):
        assert await listed(f"number={form.replace('+', '%2B')}") == [(str(second), 2)], form
    assert await listed("number=15112345609") == await listed("number=six") == []
    assert await listed("q=345603") == [(str(other), 1)]
    assert await listed("q=%25") == []
    assert await listed("status=scheduled&status=closed") == []
    assert await listed("status=open&status=bot&queue=sales") == [(str(other), 1)]
    assert await listed("assigned_to=1001") == []


@pytest.mark.parametrize("order", ["entered_at", "-entered_at", "line"])
async def test_pages_join_without_gap_or_overlap(service: Service, order: str) -> None:
    ids = [str(await service.call_in("601", f"+491511234560{n}")) for n in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await service.ask("GET", f"interactions?limit=2&order={order}{cursor and f'&cursor={cursor}'}")).body
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]

    assert seen == (ids[::-1] if order == "-entered_at" else ids)


async def test_completed_interactions_are_listed_only_when_asked_for(service: Service) -> None:
    interaction_id = await service.call_in("601")
    caller = (await service.stored(interaction_id)).legs[0].id
    changed = service.changes()
    service.engine.hear(caller, LegGone(caller))
    await changed.until(lambda it: it.status is Status.CLOSED)

    assert (await service.ask("GET", "interactions")).body["items"] == []
    closed = (await service.ask("GET", "interactions?status=closed")).body["items"]
    assert [(each["id"], each["outcome"]) for each in closed] == [(str(interaction_id), "short_abandon")]
    assert (await service.ask("GET", f"interactions/{interaction_id}")).body["status"] == "closed"


async def test_numbers_are_masked_for_all_but_those_who_need_them(service: Service) -> None:
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    path = f"interactions/{interaction_id}"

    async def number(who: str) -> str:
        return (await service.ask("GET", path, who)).body["number"]

    assert [await number(who) for who in ("admin", "supervisor")] == [CUSTOMER] * 2
    assert [await number(who) for who in ("auditor", "1001")] == ["+49******678"] * 2
    assert CUSTOMER not in str((await service.ask("GET", "interactions", "1001")).body)
    assert (await service.ask("GET", "interactions?q=345678", "1001")).body["items"] == []

    taken = await service.ask("POST", f"{path}/pickup", "1001")
    assert taken.body["number"] == await number("1001") == CUSTOMER


async def test_an_agent_sees_and_takes_only_what_is_of_their_queues(service: Service) -> None:
    await service.agent("1002", "sales")
    interaction_id = await service.callback()

    assert (await service.ask("GET", "interactions", "1002")).body["items"] == []
    for method, path in (("GET", ""), ("GET", "/feed"), ("POST", "/pickup")):
        answer = await service.ask(method, f"interactions/{interaction_id}{path}", "1002")
        assert (answer.status, answer.body["code"]) == (403, "forbidden")


async def test_of_twenty_pickups_at_once_one_wins_and_one_phone_rings(service: Service) -> None:
    names = [f"2{n:03}" for n in range(20)]
    for name in names:
        await service.agent(name, "support")
    interaction_id = await service.callback()
    service.phones.asked.clear()

    answers = await asyncio.gather(
        *(service.ask("POST", f"interactions/{interaction_id}/pickup", name) for name in names)
    )

    assert sorted(answer.status for answer in answers) == [200] + [409] * 19
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"not_open"}
    rung = [each for each in service.phones.asked if isinstance(each, RingAgent)]
    assert len(rung) == 1


async def test_a_pickup_reads_its_row_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.agent("1001", "support")
    interaction_id, read, load = await service.callback(), list[UUID](), interactions.load
    await gone_from_memory(service, interaction_id)

    async def counting(pool: Pool, it: UUID) -> Interaction:
        read.append(it)
        return await load(pool, it)

    monkeypatch.setattr(interactions, "load", counting)
    assert (await service.ask("POST", f"interactions/{interaction_id}/pickup", "1001")).status == 200
    assert read == [interaction_id]


async def gone_from_memory(service: Service, interaction_id: UUID) -> None:
    """Without channels and not due soon, nothing is kept of it."""
    async with asyncio.timeout(5):
        while service.engine.holds(interaction_id):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_callback_is_picked_up_talked_about_and_done(service: Service) -> None:
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    path = f"interactions/{interaction_id}"

    taken = await service.ask("POST", f"{path}/pickup", "1001")
    assert (taken.status, taken.body["status"], taken.body["assigned_to"]) == (200, "connected", "1001")
    assert taken.body["position"] is None

    await until_talking(service, await service.stored(interaction_id))
    assert any(isinstance(each, DialCustomer) for each in service.phones.asked)
    working = (await service.ask("GET", "agents/1001")).body
    assert (working["state"], working["interaction"]) == ("busy", str(interaction_id))
    attempt = (await service.ask("GET", path)).body["attempts"][0]
    assert (attempt["n"], attempt["state"], attempt["outcome"]) == (1, "answered", None)

    too_early = await service.ask("POST", f"{path}/redial", "1001")
    assert (too_early.status, too_early.body["code"]) == (409, "wrong_stage")
    ended = await service.ask("POST", f"{path}/end-call", "1001")
    assert (ended.body["stage"], ended.body["attempts"][0]["state"]) == ("ready_to_call", "ended")
    redialled = await service.ask("POST", f"{path}/redial", "1001")
    assert redialled.body["stage"] == "agent_ringing"
    await service.ask("POST", f"{path}/end-call", "1001")
    wrapping = await service.ask("POST", f"{path}/done", "1001")
    assert wrapping.body["status"] == "wrap_up"
    closed = await service.ask("POST", f"{path}/done", "1001", json={"disposition": "solved", "note": "All is well."})
    assert (closed.body["status"], closed.body["outcome"]) == ("closed", "handled")
    assert closed.body["disposition"] == "solved"

    feed = (await service.ask("GET", f"{path}/feed", "1001")).body["items"]
    assert [line["seq"] for line in feed] == list(range(1, len(feed) + 1))
    assert (feed[0]["event"], feed[-1]["event"]) == ("entered", "closed")
    assert set(feed[0]) == {"seq", "at", "event", "actor", "status", "data"}


async def test_a_feed_comes_page_by_page(service: Service) -> None:
    path = f"interactions/{await service.callback()}/feed"
    whole = (await service.ask("GET", path)).body["items"]
    first = (await service.ask("GET", f"{path}?limit=2")).body
    rest = (await service.ask("GET", f"{path}?cursor={first['next_cursor']}")).body

    assert first["items"] + rest["items"] == whole
    assert rest["next_cursor"] is None


async def test_an_offer_is_accepted_by_its_agent_and_nobody_else(service: Service) -> None:
    for name in ("1001", "1002"):
        await service.agent(name, "support")
    await service.ask("PUT", "agents/1001/state", "1001", json={"state": "ready"})
    changed = service.changes()
    interaction_id = await service.callback()
    await changed.until(lambda it: it.status is Status.OFFERED)
    path = f"interactions/{interaction_id}"

    assert (await service.ask("GET", "agents/1001")).body["state"] == "offered"
    refused = await service.ask("POST", f"{path}/accept", "1002")
    assert (refused.status, refused.body["code"]) == (409, "not_offered")
    stranger = await service.ask("POST", f"{path}/end-call", "1002")
    assert (stranger.status, stranger.body["code"]) == (403, "forbidden")
    accepted = await service.ask("POST", f"{path}/accept", "1001")
    assert (accepted.status, accepted.body["status"], accepted.body["number"]) == (200, "connected", CUSTOMER)


async def test_a_rejected_offer_keeps_its_place_and_its_number_to_itself(service: Service) -> None:
    await service.agent("1001", "support")
    changed = service.changes()
    await service.ask("PUT", "agents/1001/state", "1001", json={"state": "ready"})
    interaction_id = await service.callback()
    await changed.until(lambda it: it.status is Status.OFFERED)

    rejected = await service.ask("POST", f"interactions/{interaction_id}/reject", "1001")

    assert (rejected.status, rejected.body["status"], rejected.body["position"]) == (200, "open", 1)
    assert rejected.body["number"] == "+49******678"


async def test_pickup_says_what_stands_in_its_way_in_a_fixed_order(service: Service) -> None:
    await service.agent("1001", "support")
    await service.agent("1002", "support")
    first = await service.callback(number="+4915112345601")
    second = await service.callback(number="+4915112345602")

    async def code(interaction_id: object, who: str) -> str:
        return (await service.ask("POST", f"interactions/{interaction_id}/pickup", who)).body.get("code", "taken")

    assert await code(uuid4(), "1001") == "not_found"
    assert await code(first, "1001") == "taken"
    assert await code(first, "1002") == "not_open"
    assert await code(second, "1001") == "agent_busy"
    await service.agent("1002", "support", phone=PhoneState.UNREACHABLE)
    assert await code(second, "1002") == "phone_unreachable"


@pytest.mark.parametrize("cursor", ["x", "e30", "WzEsMl0", "%00", "a" * 401, "WyJsaW5lIiwiYSJd"])
async def test_a_made_up_cursor_is_invalid(service: Service, cursor: str) -> None:
    for path in ("interactions", f"interactions/{await service.call_in('601')}/feed"):
        answer = await service.ask("GET", f"{path}?cursor={cursor}")
        assert (answer.status, answer.body["code"]) == (422, "invalid")
        assert answer.body["errors"][0]["pointer"] == "/cursor"
