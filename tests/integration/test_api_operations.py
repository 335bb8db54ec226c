"""Callbacks over the API and what supervisors and owners do to interactions, with the real engine behind it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.effects import HangUp, RingAgent
from routing.core.events import LegGone, LegRinging
from routing.core.interaction import Interaction, Role, Stage, Status
from routing.store import agents

OTHER = "+4915198765432"


@pytest.fixture(autouse=True)
async def two_queues(service: Service) -> None:
    await service.queue(
        "support", numbers=["600", "+4930555100"], workflow=QUICK, limits={"requests_per_number": None}
    )
    await service.queue("sales", numbers=["601"], workflow={"steps": []})
    for agent in ("1001", "1002"):
        await service.agent(agent, "support")


async def asked(service: Service, who: str = "supervisor", **body: Any) -> dict[str, Any]:
    answer = await service.ask("POST", "callbacks", who, json={"queue": "support", "number": CUSTOMER, **body})
    assert answer.status == 201, answer
    return dict(answer.body)


async def feed(service: Service, interaction: str, event: str, who: str = "admin") -> list[dict[str, Any]]:
    lines = (await service.ask("GET", f"interactions/{interaction}/feed?limit=200", who)).body["items"]
    return [{**each["data"], "actor": each["actor"]} for each in lines if each["event"] == event]


async def do(service: Service, interaction: str, what: str, who: str = "supervisor", **body: Any) -> tuple[int, Any]:
    answer = await service.ask("POST", f"interactions/{interaction}/{what}", who, json=body)
    return answer.status, answer.body


def ahead(**of: float) -> str:
    return (datetime.now(UTC) + timedelta(**of)).isoformat()


async def offered(service: Service, agent: str = "1001") -> dict[str, Any]:
    """A callback that rings at the agent's phone."""
    await service.ask("PUT", f"agents/{agent}/state", agent, json={"state": "ready"})
    changed = service.changes()
    it = await asked(service)
    await changed.until(lambda it: it.status is Status.OFFERED)
    return it


async def not_reached(service: Service, interaction: str, agent: str = "1001") -> Interaction:
    """The agent takes it, and the customer is busy."""
    assert (await do(service, interaction, "pickup", agent))[0] == 200
    changed = service.changes()
    phone = (await service.stored_by(interaction)).leg(Role.AGENT)
    assert phone
    service.engine.hear(phone.id, LegRinging(phone.id))
    it = await changed.until(lambda it: it.leg(Role.CUSTOMER))
    customer = it.leg(Role.CUSTOMER)
    assert customer
    service.engine.hear(customer.id, LegGone(customer.id, 486))
    return await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)


# Asked for


async def test_somebody_asks_to_be_called_back_and_is_in_line(service: Service) -> None:
    it = await asked(
        service,
        number="0151 12345678",
        name="Ada",
        case_data={"order": 7, "vip": True},
        instructions="Ask for the invoice.",
        callback_type="invoice",
    )

    expected = {
        "status": "open",
        "subtype": "callback",
        "kind": "requested",
        "number": CUSTOMER,
        "dialled_number": "+4930555100",
        "position": 1,
        "name": "Ada",
        "case_data": {"order": 7, "vip": True},
        "instructions": "Ask for the invoice.",
        "callback_type": "invoice",
        "due_at": None,
    }
    assert expected.items() <= it.items()
    (line,) = await feed(service, it["id"], "callback_requested")
    assert line["actor"] == "operator:supervisor"


async def test_a_second_request_for_the_same_number_is_told_of_the_first(service: Service) -> None:
    first = await asked(service)

    again = await service.ask("POST", "callbacks", "admin", json={"queue": "support", "number": "0151 12345678"})
    elsewhere = await service.ask("POST", "callbacks", "admin", json={"queue": "sales", "number": CUSTOMER})

    assert (again.status, again.body["code"], again.body["interaction"]) == (409, "duplicate_callback", first["id"])
    assert elsewhere.status == 201


async def test_of_twenty_requests_at_once_for_one_number_one_is_taken(service: Service) -> None:
    body = {"queue": "support", "number": CUSTOMER}
    answers = await asyncio.gather(*(service.ask("POST", "callbacks", "admin", json=body) for _ in range(20)))

    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert len({answer.body.get("interaction") or answer.body["id"] for answer in answers}) == 1


async def test_a_callback_for_a_time_is_scheduled_and_comes_into_line_by_itself(service: Service) -> None:
    changed = service.changes()

    it = await asked(service, at=ahead(seconds=0.6))

    assert (it["status"], it["kind"], it["position"]) == ("scheduled", "scheduled", None)
    assert it["due_at"] == it["promised_at"] == it["queued_at"]
    due = await changed.until(lambda it: it.status is Status.OPEN)
    assert service.engine.clock.now() >= due.place.queued_at


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"queue": "nothing"}, "invalid", "/queue"),
    ({"number": "123"}, "number_blocked", None),
    ({"number": "+49 1"}, "invalid_number", None),
    ({"number": "call me"}, "invalid", "/number"),
    ({"at": "2020-01-01T10:00:00Z"}, "invalid", "/at"),
    ({"at": "2999-01-01T10:00:00Z"}, "invalid", "/at"),
    ({"at": "2027-02-30T10:00:00Z"}, "invalid", "/at"),
    ({"at": "tomorrow"}, "invalid", "/at"),
    ({"time_zone": "Europe/Nowhere"}, "invalid", "/time_zone"),
    ({"case_data": {"deep": {"er": 1}}}, "invalid", "/case_data/deep"),
    ({"case_data": {"a": None}}, "invalid", "/case_data/a"),
    ({"unknown": 1}, "invalid", "/unknown"),
]


async def test_a_request_that_cannot_be_kept_is_refused(service: Service) -> None:
    for body, code, pointer in REFUSED:
        answer = await service.ask("POST", "callbacks", json={"queue": "support", "number": CUSTOMER, **body})

        assert (answer.status, answer.body["code"]) == (422, code), body
        assert pointer is None or pointer in [each["pointer"] for each in answer.body["errors"]]


async def test_an_agent_asks_for_callbacks_in_the_queues_they_serve(service: Service) -> None:
    it = await asked(service, "1001")

    elsewhere = await service.ask("POST", "callbacks", "1001", json={"queue": "sales", "number": OTHER})

    assert it["number"] == "+49******678"
    assert (elsewhere.status, elsewhere.body["code"]) == (403, "forbidden")


# Cancel, requeue, reassign


async def test_cancelled_while_it_rings_at_the_agents_phone_it_rings_no_longer(service: Service) -> None:
    it = await offered(service)
    phone = (await service.stored_by(it["id"])).leg(Role.AGENT)
    assert phone

    status, body = await do(service, it["id"], "cancel", reason="solved by mail")

    assert (status, body["status"], body["outcome"]) == (200, "closed", "cancelled_by_operator")
    assert HangUp(phone.id) in service.phones.asked
    assert (await service.ask("GET", "agents/1001")).body["state"] == "ready"
    assert (await feed(service, it["id"], "cancelled"))[0]["reason"] == "solved by mail"
    assert (await do(service, it["id"], "cancel"))[1]["code"] == "not_open"
    assert (await asked(service))["id"] != it["id"], "the number may be called back again"


async def test_what_an_agent_works_on_is_not_cancelled(service: Service) -> None:
    it = await asked(service)
    await do(service, it["id"], "pickup", "1001")

    status, body = await do(service, it["id"], "cancel")

    assert (status, body["code"], body["detail"]) == (409, "wrong_stage", "The interaction is agent_ringing.")


async def test_a_scheduled_callback_is_requeued_into_another_queue(service: Service) -> None:
    it = await asked(service, at=ahead(hours=1))

    status, body = await do(service, it["id"], "requeue", queue="sales", priority=5)

    assert (status, body["status"], body["queue"], body["priority"]) == (200, "open", "sales", 5)
    assert (await do(service, it["id"], "requeue", queue="nothing"))[0] == 422


async def test_two_callbacks_of_one_number_never_meet_in_one_queue(service: Service) -> None:
    here = await asked(service)
    there = await asked(service, queue="sales")
    other = await asked(service, number=OTHER)

    moved = await do(service, there["id"], "requeue", queue="support")
    edited = await service.ask("PATCH", f"interactions/{other['id']}", json={"number": CUSTOMER})

    for status, body in (moved, (edited.status, edited.body)):
        assert (status, body["code"], body["interaction"]) == (409, "duplicate_callback", here["id"])
    assert (await service.stored_by(there["id"])).queue == "sales"


async def test_an_offer_given_to_another_agent_rings_there_and_the_first_is_free(service: Service) -> None:
    it = await offered(service)
    service.phones.asked.clear()

    status, body = await do(service, it["id"], "reassign", agent="1002")

    assert (status, body["status"], body["assigned_to"]) == (200, "offered", "1002")
    assert [each.agent for each in service.phones.asked if isinstance(each, RingAgent)] == ["1002"]
    first, second = [await agents.get(service.engine.pool, each) for each in ("1001", "1002")]
    assert (first.work, second.work, second.interaction) == (None, "offered", (await service.stored_by(it["id"])).id)

    status, body = await do(service, it["id"], "reassign")
    assert (status, body["status"], body["assigned_to"]) == (200, "open", None)


async def test_nobody_is_given_a_second_thing_to_do_or_a_call_without_a_phone(service: Service) -> None:
    it, other = await asked(service), await asked(service, number=OTHER)
    await do(service, other["id"], "pickup", "1002")

    assert (await do(service, it["id"], "reassign", agent="1002"))[1]["code"] == "agent_busy"
    assert (await do(service, it["id"], "reassign", agent="1009"))[1]["code"] == "invalid"
    await agents.put(service.engine.pool, "1003", agents.Settings())
    assert (await do(service, it["id"], "reassign", agent="1003"))[1]["code"] == "phone_unreachable"


# Reschedule, close, edit


async def test_an_agent_puts_off_what_could_not_be_reached_and_is_free(service: Service) -> None:
    it = await asked(service)
    await not_reached(service, it["id"])

    theirs = await do(service, it["id"], "reschedule", "1002", at=ahead(hours=2))
    mine = await do(service, it["id"], "reschedule", "1001", at="2026-12-24T10:00", time_zone="America/New_York")

    assert theirs[1]["code"] == "forbidden"
    assert (mine[0], mine[1]["status"], mine[1]["due_at"]) == (200, "scheduled", "2026-12-24T15:00:00Z")
    assert (await agents.get(service.engine.pool, "1001")).work is None


async def test_unresolved_is_for_somebody_else_and_resolved_is_over(service: Service) -> None:
    it = await asked(service)
    await not_reached(service, it["id"])
    status, body = await do(service, it["id"], "close", "1001", resolution="unresolved", note="Speaks French.")
    assert (status, body["status"], body["assigned_to"]) == (200, "open", None)

    await not_reached(service, it["id"], "1002")
    assert (await do(service, it["id"], "close", "1002"))[1]["status"] == "wrap_up"
    status, body = await do(service, it["id"], "close", "1002", disposition="solved")
    assert (status, body["outcome"], body["disposition"]) == (200, "handled", "solved")


async def test_edits_are_told_with_the_old_value_and_numbers_only_to_those_who_may_see_them(service: Service) -> None:
    it = await asked(service, case_data={"order": 7})
    path = f"interactions/{it['id']}"

    changed = await service.ask(
        "PATCH", path, json={"number": "0151 98765432", "priority": 3, "case_data": {"order": None, "size": "L"}}
    )

    assert changed.status == 200
    body = changed.body
    assert (body["number"], body["priority"], body["case_data"]) == (OTHER, 3, {"size": "L"})
    lines = {each["field"]: (each["old"], each["new"]) for each in await feed(service, it["id"], "edited")}
    assert lines == {
        "number": (CUSTOMER, OTHER),
        "priority": (0, 3),
        "case_data": ({"order": 7, "size": None}, {"order": None, "size": "L"}),
    }
    masked = {each["field"]: (each["old"], each["new"]) for each in await feed(service, it["id"], "edited", "1001")}
    assert masked["number"] == ("+49******678", "+49******432")
    assert masked["case_data"] == lines["case_data"]


async def test_agents_edit_what_is_theirs_but_not_its_priority(service: Service) -> None:
    it = await asked(service)
    path = f"interactions/{it['id']}"

    async def edits(who: str, **changes: Any) -> tuple[int, str]:
        answer = await service.ask("PATCH", path, who, json=changes)
        return answer.status, answer.body.get("code", "")

    assert await edits("1001", instructions="x") == (403, "forbidden")
    await not_reached(service, it["id"])
    assert await edits("1001", instructions="Try the office.", number=OTHER) == (200, "")
    assert await edits("1001", priority=1) == (403, "forbidden")
    assert await edits("1002", instructions="x") == (403, "forbidden")


async def test_anybody_who_sees_it_leaves_a_note_for_the_next(service: Service) -> None:
    it = await asked(service)

    assert (await do(service, it["id"], "notes", "1002", note="I know this customer."))[0] == 200
    assert (await do(service, it["id"], "notes", "auditor", note="x"))[0] == 403

    assert await feed(service, it["id"], "note_added") == [{"note": "I know this customer.", "actor": "agent:1002"}]
    found = (await service.ask("GET", "interactions?q=know+this")).body["items"]
    assert [each["id"] for each in found] == [it["id"]]


# In bulk


async def test_in_bulk_each_is_done_or_refused_by_itself(service: Service) -> None:
    numbers = [f"+49151123456{n:02}" for n in range(20)]
    ids = [(await asked(service, number=each))["id"] for each in numbers]
    await do(service, ids[3], "pickup", "1001")
    nobody = str(uuid4())

    answer = await service.ask(
        "POST", "interactions/bulk", "supervisor", json={"action": "cancel", "ids": [*ids, nobody], "reason": "storm"}
    )

    assert answer.status == 200
    results = answer.body["results"]
    assert [each["id"] for each in results] == [*ids, nobody]
    assert [each["status"] for each in results] == [*([200] * 3), 409, *([200] * 16), 404]
    assert results[0]["interaction"]["outcome"] == "cancelled_by_operator"
    assert results[3]["problem"]["code"] == "wrong_stage"


NOT_IN_BULK: list[dict[str, Any]] = [
    {"action": "cancel", "ids": []},
    {"action": "cancel", "ids": [str(uuid4()) for _ in range(101)]},
    {"action": "close", "ids": [str(uuid4())]},
    {"ids": [str(uuid4())]},
    {"action": "reschedule", "ids": [str(uuid4())]},
    {"action": "cancel", "ids": ["x"]},
]


async def test_what_cannot_be_done_in_bulk_is_refused_as_a_whole(service: Service) -> None:
    for body in NOT_IN_BULK:
        answer = await service.ask("POST", "interactions/bulk", json=body)

        assert (answer.status, answer.body["code"]) == (422, "invalid"), body


@pytest.mark.parametrize(
    ("action", "body", "then"),
    [
        ("requeue", {"queue": "sales"}, {"status": "open", "queue": "sales"}),
        ("reschedule", {"at": "2026-12-24T10:00:00Z"}, {"status": "scheduled", "due_at": "2026-12-24T10:00:00Z"}),
        ("reassign", {"agent": "1001"}, {"status": "offered", "assigned_to": "1001"}),
    ],
)
async def test_every_action_works_in_bulk(
    service: Service, action: str, body: dict[str, Any], then: dict[str, Any]
) -> None:
    it = await asked(service)

    answer = await service.ask("POST", "interactions/bulk", json={"action": action, "ids": [it["id"]], **body})

    (result,) = answer.body["results"]
    assert then.items() <= result["interaction"].items()


# Who may


ALLOWED = {
    "cancel": "supervisor admin",
    "requeue": "supervisor admin",
    "reassign": "supervisor admin",
    "reschedule": "agent supervisor admin",
    "close": "agent supervisor admin",
    "notes": "agent supervisor admin",
    "bulk": "supervisor admin",
}
WHO = {"agent": "1001", "supervisor": "supervisor", "admin": "admin", "auditor": "auditor"}


async def test_every_role_may_do_what_it_may(service: Service) -> None:
    for what, allowed in ALLOWED.items():
        path = "interactions/bulk" if what == "bulk" else f"interactions/{uuid4()}/{what}"
        for role, who in WHO.items():
            answer = await service.ask("POST", path, who, data=b"{}")
            assert (answer.status == 403) == (role not in allowed.split()), (what, role, answer)


# Numbers others may not see


async def test_a_hidden_number_is_not_found_by_guessing_it(service: Service) -> None:
    it = await asked(service)
    escaped = CUSTOMER.replace("+", "%2B")

    async def found(who: str, query: str) -> list[str]:
        return [each["id"] for each in (await service.ask("GET", f"interactions?{query}", who)).body["items"]]

    for query in (f"number={escaped}", "q=5112345"):
        assert await found("admin", query) == await found("supervisor", query) == [it["id"]]
        assert await found("1001", query) == await found("auditor", query) == []
    await do(service, it["id"], "pickup", "1001")
    for query in (f"number={escaped}", "q=5112345"):
        assert await found("1001", query) == [it["id"]], "it is theirs now"
        assert await found("1002", query) == []


async def test_a_number_or_queue_that_the_rules_refuse_leaves_everything_as_it_was(service: Service) -> None:
    await service.queue("austria", region="AT", numbers=["602"], workflow=QUICK)
    it = await asked(service)
    before = await service.stored_by(it["id"])

    premium = await service.ask("PATCH", f"interactions/{it['id']}", json={"number": "+49 900 1234567"})
    moved = await do(service, it["id"], "requeue", queue="austria")
    new = await service.ask("POST", "callbacks", json={"queue": "support", "number": "+49 900 1234567"})

    for status, body in ((premium.status, premium.body), moved, (new.status, new.body)):
        assert (status, body["code"]) == (422, "number_blocked")
        assert body["rule"]
    assert await service.stored_by(it["id"]) == before


async def test_a_time_that_is_just_past_and_outside_the_window_is_refused_as_one_ahead_is(service: Service) -> None:
    now = service.engine.clock.now()
    opens = (now + timedelta(hours=6)).astimezone(ZoneInfo("Europe/Berlin")).hour % 22
    await service.queue(dial={"window": [f"{opens:02}:00", f"{opens + 1:02}:00"]})
    for n, seconds in enumerate((5, -5)):
        at = (now + timedelta(seconds=seconds)).isoformat()
        body = {"queue": "support", "number": f"+491511234567{n}", "at": at}
        answer = await service.ask("POST", "callbacks", json=body)
        assert (answer.status, answer.body["code"], answer.body["errors"][0]["pointer"]) == (422, "invalid", "/at")
