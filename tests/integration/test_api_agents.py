"""Agents and queues over real HTTP."""

import pytest
from api_service import Service

from routing.core.agents import PhoneState, ha1
from routing.core.errors import Unavailable
from routing.store import agents


@pytest.fixture(autouse=True)
async def support(service: Service) -> None:
    await service.queue("support", numbers=["600"])


async def test_an_agent_is_put_and_read_back_without_secrets(service: Service) -> None:
    settings = {
        "name": "Ada",
        "queues": [{"queue": "support", "penalty": 3}],
        "skills": ["en"],
        "accept_mode": "auto",
        "auto_answer": True,
        "wrap_up": 7.5,
    }
    secrets = {"password": "a long password", "sip_password": "another long one"}

    put = await service.ask("PUT", "agents/1001", json={"id": "1001", **settings, **secrets})

    got = (await service.ask("GET", "agents/1001")).body
    assert put.status == 200
    assert put.body == got
    assert settings.items() <= got.items()
    assert set(got) - set(settings) == {"id", "state", "reason", "phone", "since", "interaction"}
    assert (got["state"], got["phone"], got["interaction"]) == ("logged_out", "unreachable", None)


async def test_a_sip_account_is_live_when_put_answers_and_only_its_digest_is_kept(service: Service) -> None:
    await service.ask("PUT", "agents/1001", json={"sip_password": "another long one"})

    md5 = "0df151fa6e7f9acd64d65d2cac1ca32e"  # of 1001:ringback:another long one
    assert service.phones.accounts == {"1001": md5}
    assert await agents.sip_ha1(service.engine.pool, "1001") == md5

    await service.ask("PUT", "agents/1001", json={"name": "Ada"})
    assert "1001" in service.phones.accounts
    await service.ask("PUT", "agents/1001", json={"sip_password": None})
    assert service.phones.accounts == {}


@pytest.mark.parametrize("short", ["", "1001", "elevenchars"])
async def test_a_sip_password_that_can_be_guessed_is_refused(service: Service, short: str) -> None:
    refused = await service.ask("PUT", "agents/1001", json={"sip_password": short})
    assert (refused.status, refused.body["code"]) == (422, "invalid")
    assert refused.body["errors"] == [
        {"pointer": "/sip_password", "detail": "String should have at least 12 characters"}
    ]
    assert (await service.ask("GET", "agents/1001")).status == 404


async def test_a_sip_password_is_made_told_once_and_live(service: Service) -> None:
    await service.ask("PUT", "agents/1001", json={"name": "Ada", "sip_password": "another long one"})
    made = [(await service.ask("PUT", "agents/1001/sip-password")).body["sip_password"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(each) == 32 for each in made)
    assert service.phones.accounts == {"1001": ha1("1001", made[1])}
    assert (await service.ask("GET", "agents/1001")).body["name"] == "Ada"
    assert (await service.ask("PUT", "agents/1002/sip-password")).status == 404
    assert (await service.ask("PUT", "agents/1001/sip-password", "supervisor")).status == 403


async def test_asterisk_away_is_503_and_the_same_put_mends_it(service: Service) -> None:
    service.phones.fails = Unavailable()
    refused = await service.ask("PUT", "agents/1001", json={"sip_password": "another long one"})
    service.phones.fails = None
    again = await service.ask("PUT", "agents/1001", json={"sip_password": "another long one"})

    assert (refused.status, refused.body["code"], refused.headers["Retry-After"]) == (503, "unavailable", "1")
    assert again.status == 200
    assert "1001" in service.phones.accounts


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"nam": "Ada"}, "/nam"),
        ({"id": "1002"}, "/id"),
        ({"queues": [{"queue": "support"}, {"queue": "nowhere"}]}, "/queues/1/queue"),
        ({"queues": [{"queue": "support"}, {"queue": "support"}]}, "/queues/1/queue"),
        ({"queues": [{"queue": "support", "penalty": "3"}]}, "/queues/0/penalty"),
        ({"password": "short"}, "/password"),
        ({"wrap_up": -1}, "/wrap_up"),
        ({"wrap_up": True}, "/wrap_up"),
        ({"name": "nul \x00"}, "/name"),
        ({"accept_mode": "sometimes"}, "/accept_mode"),
    ],
)
async def test_what_is_wrong_with_an_agent_is_pointed_at(service: Service, body: object, pointer: str) -> None:
    answer = await service.ask("PUT", "agents/1001", json=body)

    assert (answer.status, answer.body["code"]) == (422, "invalid")
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert (await service.ask("GET", "agents/1001")).status == 404


@pytest.mark.parametrize("agent_id", ["carrier", "Carrier", "4915112345678", "%2B49", "a%20b", "x" * 33, "%00", "é"])
async def test_an_id_that_asterisk_would_take_for_something_else_is_refused(service: Service, agent_id: str) -> None:
    answer = await service.ask("PUT", f"agents/{agent_id}", json={})

    assert (answer.status, answer.body["code"]) == (422, "invalid")
    assert answer.body["errors"][0]["pointer"] == "/id"


async def test_nobody_is_ready_without_a_phone(service: Service) -> None:
    await service.agent("1001", "support", phone=PhoneState.UNREACHABLE)
    refused = await service.ask("PUT", "agents/1001/state", "1001", json={"state": "ready"})
    await service.engine.agents.phone_changed("1001", PhoneState.REACHABLE)
    ready = await service.ask("PUT", "agents/1001/state", "1001", json={"state": "ready"})
    await service.engine.agents.phone_changed("1001", PhoneState.UNREACHABLE)
    shown = (await service.ask("GET", "agents/1001")).body

    assert (refused.status, refused.body["code"]) == (409, "phone_unreachable")
    assert (ready.status, ready.body["state"]) == (200, "ready")
    assert (shown["state"], shown["reason"], shown["phone"]) == ("not_ready", "phone_unreachable", "unreachable")


async def test_a_deleted_agent_is_gone(service: Service) -> None:
    await service.agent("1001", "support")
    await service.token("1001")

    assert (await service.ask("DELETE", "agents/1001")).status == 204

    assert (await service.ask("GET", "agents/1001")).status == 404
    assert (await service.ask("DELETE", "agents/1001")).status == 404
    assert (await service.ask("GET", "me", "1001")).status == 401


async def test_agents_come_page_by_page(service: Service) -> None:
    for agent_id in ("1003", "1001", "1002"):
        await service.agent(agent_id, "support")

    first = (await service.ask("GET", "agents?limit=2")).body
    second = (await service.ask("GET", f"agents?limit=2&cursor={first['next_cursor']}")).body

    assert [each["id"] for each in first["items"] + second["items"]] == ["1001", "1002", "1003"]
    assert second["next_cursor"] is None


async def test_a_queue_is_put_and_read_back_with_all_its_defaults(service: Service) -> None:
    put = await service.ask(
        "PUT", "queues/sales", json={"name": "sales", "numbers": ["601"], "offer": {"exclude": 7.0}}
    )
    got = await service.ask("GET", "queues/sales")
    again = await service.ask("PUT", "queues/sales", json=got.body)

    assert (put.status, got.status, again.status) == (200, 200, 200)
    assert put.body == got.body == again.body
    assert got.body["offer"]["exclude"] == 7
    assert got.body["dial"]["window"] == ["08:00", "21:00"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "support"}, "/name"),
        ({}, "/name"),
        ({"name": "sales", "numbers": ["600"]}, "/numbers"),
        ({"name": "sales", "numbers": ["six"]}, "/numbers/0"),
        ({"name": "sales", "offer": {"accept_time": 3}}, "/offer/accept_time"),
        ({"name": "sales", "workflow": {"steps": [{"after": 1, "menu": "offer", "keys": {"2": "sing"}}]}},
         "/workflow/steps/0/keys/2"),
        ({"name": "sales", "wrap_up": {"seconds": 1e400}}, None),
        ({"name": "sales", "wrap_up": {"seconds": 901}}, "/wrap_up/seconds"),
        ({"name": "sales", "time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"name": "sales", "title": "nul \x00"}, None),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_queue_is_pointed_at(service: Service, body: object, pointer: str | None) -> None:
    answer = await service.ask("PUT", "queues/sales", json=body)

    assert (answer.status, answer.body["code"]) == (422, "invalid")
    if pointer:
        assert {error["pointer"] for error in answer.body["errors"]} == {pointer}
    assert (await service.ask("GET", "queues/sales")).status == 404


async def test_a_queue_somebody_waits_for_is_not_deleted(service: Service) -> None:
    await service.call_in("600")

    answer = await service.ask("DELETE", "queues/support")

    assert (answer.status, answer.body["code"]) == (422, "invalid")


async def test_a_changed_number_is_answered_at_once(service: Service) -> None:
    assert await service.engine.queues.by_number("602") is None
    await service.ask("PUT", "queues/support", json={"name": "support", "numbers": ["602"]})

    found = await service.engine.queues.by_number("602")
    assert found and found[0].name == "support"
