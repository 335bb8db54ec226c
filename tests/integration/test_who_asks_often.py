"""One agent, or one token, does not fill a queue with callbacks: callers keep their room."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from api_service import QUICK, Answer, Service

from routing.core.interaction import Status
from routing.store import tokens


async def open_queue(service: Service, name: str = "support", dnis: str = "600", **limits: Any) -> None:
    callback = {"initial_delay": 0, "max_pending": limits.pop("max_pending", 500)}
    await service.queue(name, numbers=[dnis], workflow=QUICK, callback=callback, limits=limits)


@pytest.fixture(autouse=True)
async def queues(service: Service) -> None:
    await open_queue(service)
    for agent in ("1001", "1002"):
        await service.agent(agent, "support")


def number(n: int) -> str:
    return f"+4915112{n:06}"


async def ask(service: Service, n: int, who: str = "1001", queue: str = "support") -> Answer:
    return await service.ask("POST", "callbacks", who, json={"queue": queue, "number": number(n)})


async def asked_at_once(service: Service, numbers: range, *who: str) -> Counter[int]:
    """Many at a time: a counter that is read first and written later would let more of them in."""
    room = asyncio.Semaphore(20)

    async def one(n: int) -> int:
        async with room:
            return (await ask(service, n, who[n % len(who)])).status

    return Counter(await asyncio.gather(*(one(n) for n in numbers)))


async def pending(service: Service) -> int:
    found: int = await service.engine.pool.fetchval("SELECT count(*) FROM interactions WHERE status <> 'closed'")
    return found


async def test_an_agent_asks_for_sixty_callbacks_an_hour_over_all_sessions_and_others_are_not_slowed_down(
    service: Service,
) -> None:
    service.tokens["again"] = await tokens.issue(service.engine.pool, "agent", "1001")

    statuses = await asked_at_once(service, range(100), "1001", "again")

    assert statuses == {201: 60, 429: 40}
    assert await pending(service) == 60
    refused = await ask(service, 100)
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert (await ask(service, 101, "1002")).status == 201
    assert (await ask(service, 102, "supervisor")).status == 201


async def test_an_hour_later_as_many_more_as_were_asked_for_an_hour_ago(service: Service) -> None:
    await open_queue(service, requests_per_agent=3)
    assert await asked_at_once(service, range(4), "1001") == {201: 3, 429: 1}
    await service.engine.pool.execute("UPDATE requests_made SET at = ARRAY[at[1] - interval '1 hour', at[2], at[3]]")

    assert await asked_at_once(service, range(10, 12), "1001") == {201: 1, 429: 1}


async def test_the_limit_is_over_all_queues_and_a_programs_token_has_its_own(service: Service) -> None:
    await open_queue(service, requests_per_agent=2)
    await open_queue(service, "sales", "601", requests_per_agent=2)

    assert [(await ask(service, n, "admin", queue)).status for n, queue in enumerate(("support", "sales"))] == [
        201
    ] * 2
    assert [(await ask(service, 9, "admin", queue)).status for queue in ("support", "sales")] == [429] * 2
    assert (await ask(service, 9, "supervisor")).status == 201


async def test_a_queue_may_do_without_the_limit(service: Service) -> None:
    await open_queue(service, requests_per_agent=None)

    assert await asked_at_once(service, range(70), "1001") == {201: 70}


async def test_what_is_refused_for_its_number_counts_and_what_the_queue_never_calls_does_not(
    service: Service,
) -> None:
    await open_queue(service, requests_per_agent=2)
    await service.ask("PUT", f"do-not-call/{number(1)}")

    assert (
        await service.ask("POST", "callbacks", "1001", json={"queue": "support", "number": "+14155550123"})
    ).status == 422
    assert [(await ask(service, n)).body.get("rule") for n in (1, 1)] == ["do_not_call", "do_not_call"]
    assert (await ask(service, 2)).status == 429


async def test_a_fifth_of_the_places_is_left_to_callers(service: Service) -> None:
    await open_queue(service, max_pending=10)

    statuses = await asked_at_once(service, range(8), "1001", "supervisor")
    refused = await ask(service, 8, "admin")

    assert statuses == {201: 8}
    assert (refused.status, refused.body["code"], refused.body["rule"]) == (422, "number_blocked", "max_pending")
    for n in (20, 21):
        it = await service.callback(number=number(n))
        assert (await service.stored(it)).status is Status.OPEN
    assert await pending(service) == 10


async def test_another_number_for_a_callback_takes_no_place_more(service: Service) -> None:
    await open_queue(service, max_pending=5)
    made = [(await ask(service, n, "supervisor")).body["id"] for n in range(4)]

    changed = await service.ask("PATCH", f"interactions/{made[0]}", "supervisor", json={"number": number(9)})

    assert (changed.status, changed.body["number"]) == (200, number(9))
    assert (await ask(service, 10, "supervisor")).status == 422
