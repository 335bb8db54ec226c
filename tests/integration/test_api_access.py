"""Who gets in and what they may do, over real HTTP."""

import asyncio
from ipaddress import ip_network

import pytest
from api_service import Service

from routing.api.app import create_app, start_site
from routing.api.http import login_throttle
from routing.core.agents import Availability
from routing.store import agents

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
async def ada(service: Service) -> None:
    """Agent 1001 of queue support, with a password; 1002 of sales."""
    for name in ("support", "sales"):
        await service.queue(name)
    body = {"name": "Ada", "password": PASSWORD, "queues": [{"queue": "support"}]}
    assert (await service.ask("PUT", "agents/1001", json=body)).status == 200
    await service.agent("1002", "sales")


async def login(service: Service, password: str = PASSWORD, user: str = "1001"):
    return await service.ask("POST", "login", None, json={"user": user, "password": password})


async def test_a_login_gives_a_token_and_leaves_the_agent_not_ready(service: Service) -> None:
    answer = await login(service)

    assert answer.status == 200
    assert answer.body == {"token": answer.body["token"], "role": "agent", "agent": "1001"}
    service.tokens["1001"] = answer.body["token"]
    assert (await service.ask("GET", "me", "1001")).body == {"role": "agent", "agent": "1001"}
    shown = (await service.ask("GET", "agents/1001", "1001")).body
    assert (shown["state"], shown["reason"]) == ("not_ready", "login")


async def test_a_second_login_does_not_interrupt_an_agent_who_is_ready(service: Service) -> None:
    await login(service)
    await agents.set_availability(service.engine.pool, "1001", Availability.READY, None)

    await login(service)

    assert (await agents.get(service.engine.pool, "1001")).availability is Availability.READY


async def test_after_logout_the_token_is_worth_nothing_at_once(service: Service) -> None:
    service.tokens["1001"] = (await login(service)).body["token"]
    assert (await service.ask("GET", "me", "1001")).status == 200

    assert (await service.ask("POST", "logout", "1001")).status == 204

    assert (await service.ask("GET", "me", "1001")).status == 401
    assert (await agents.get(service.engine.pool, "1001")).availability is Availability.LOGGED_OUT


@pytest.mark.parametrize(
    ("user", "password"), [("1001", "wrong"), ("nobody", PASSWORD), ("1002", ""), ("1002", "any"), ("", "")]
)
async def test_wrong_users_and_passwords_get_the_same_answer(service: Service, user: str, password: str) -> None:
    answer = await login(service, password, user)

    assert (answer.status, answer.body["code"]) == (401, "unauthenticated")
    assert answer.body["detail"] == "Wrong user or password."


async def test_guessing_is_stopped_after_five_failures_even_in_parallel(service: Service) -> None:
    answers = await asyncio.gather(*(login(service, "wrong") for _ in range(12)))

    statuses = sorted(answer.status for answer in answers)
    assert statuses == [401] * login_throttle.FAILURES + [429] * (12 - login_throttle.FAILURES)
    refused = await login(service)
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["Retry-After"]) <= login_throttle.WINDOW


async def guesses(service: Service, *places: str) -> list[int]:
    """One wrong password from each of these places, as a proxy would name them."""
    answers = [
        await service.ask(
            "POST", "login", None, json={"user": "1001", "password": "wrong"}, headers={"X-Forwarded-For": place}
        )
        for place in places
    ]
    return [answer.status for answer in answers]


async def test_who_names_another_place_each_time_is_stopped_all_the_same(service: Service) -> None:
    places = [f"198.51.100.{n}" for n in range(login_throttle.FAILURES + 1)]
    assert await guesses(service, *places) == [401] * login_throttle.FAILURES + [429]


async def test_behind_a_trusted_proxy_guesses_from_one_place_stop_nobody_elsewhere(service: Service) -> None:
    app = create_app(
        service.engine, service.engine.pool, realm="ringback", trusted_proxies=[ip_network("127.0.0.0/8")]
    )
    runner = await start_site(app, "127.0.0.1", 0)
    try:
        host, port = runner.addresses[0][:2]
        behind = Service(service.engine, service.phones, service.http, f"http://{host}:{port}", service.tokens)
        lies = [f"203.0.113.{n}, 198.51.100.1" for n in range(login_throttle.FAILURES + 1)]
        assert await guesses(behind, *lies) == [401] * login_throttle.FAILURES + [429]
        assert await guesses(behind, "198.51.100.2") == [401]
    finally:
        await runner.cleanup()


async def test_another_user_is_not_slowed_down_by_guesses(service: Service) -> None:
    for _ in range(login_throttle.FAILURES):
        await login(service, "wrong", "1002")

    assert (await login(service)).status == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic cm9vdDpyb290", "Bearer \u00e9"]
)
async def test_without_a_valid_token_nobody_gets_in(service: Service, header: str) -> None:
    answer = await service.ask("GET", "interactions", None, headers={"Authorization": header})

    assert (answer.status, answer.body["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "agents", "agent supervisor admin auditor"),
        ("PUT", "agents/1009", "admin"),
        ("DELETE", "agents/1009", "admin"),
        ("PUT", "agents/1001/state", "agent supervisor admin"),
        ("GET", "queues", "agent supervisor admin auditor"),
        ("PUT", "queues/support", "admin"),
        ("DELETE", "queues/sales", "admin"),
        ("GET", "interactions", "agent supervisor admin auditor"),
        ("POST", "interactions/00000000-0000-0000-0000-000000000000/accept", "agent"),
        ("POST", "interactions/00000000-0000-0000-0000-000000000000/pickup", "agent"),
        ("POST", "interactions/00000000-0000-0000-0000-000000000000/done", "agent"),
    ],
)
async def test_every_role_may_do_what_it_may_and_no_more(
    service: Service, method: str, path: str, allowed: str
) -> None:
    for role, who in {"agent": "1001", "supervisor": "supervisor", "admin": "admin", "auditor": "auditor"}.items():
        answer = await service.ask(method, path, who, data=b"")
        assert (answer.status == 403) == (role not in allowed.split()), (role, answer)


async def test_an_agent_changes_only_their_own_state_and_a_supervisor_anyones(service: Service) -> None:
    body = {"state": "not_ready", "reason": "lunch"}

    assert (await service.ask("PUT", "agents/1002/state", "1001", json=body)).status == 403
    mine = await service.ask("PUT", "agents/1001/state", "1001", json=body)
    theirs = await service.ask("PUT", "agents/1002/state", "supervisor", json=body)

    assert (mine.body["state"], mine.body["reason"]) == ("not_ready", "lunch")
    assert (theirs.status, theirs.body["id"]) == (200, "1002")


async def test_an_agent_sees_only_their_own_queues_and_colleagues(service: Service) -> None:
    assert [each["id"] for each in (await service.ask("GET", "agents", "1001")).body["items"]] == ["1001"]
    assert (await service.ask("GET", "agents/1002", "1001")).status == 403
    assert [each["name"] for each in (await service.ask("GET", "queues", "1001")).body["items"]] == ["support"]
    assert (await service.ask("GET", "queues/sales", "1001")).status == 403
    assert len((await service.ask("GET", "agents", "auditor")).body["items"]) == 2


async def test_a_changed_password_ends_the_sessions_and_the_same_one_does_not(service: Service) -> None:
    service.tokens["1001"] = (await login(service)).body["token"]
    body = {"password": PASSWORD, "queues": [{"queue": "support"}]}

    await service.ask("PUT", "agents/1001", json=body)
    assert (await service.ask("GET", "me", "1001")).status == 200

    await service.ask("PUT", "agents/1001", json=body | {"password": "another password"})
    assert (await service.ask("GET", "me", "1001")).status == 401
    assert (await login(service)).status == 401
