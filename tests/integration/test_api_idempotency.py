"""Idempotency-Key: asked twice, done once; and how many requests a token may make."""

import asyncio
from typing import Any

import aiohttp
import pytest
from api_service import CUSTOMER, QUICK, Answer, Service

from routing.api.app import create_app, start_site
from routing.api.http.idempotency import REPLAYED
from routing.core.errors import RateLimited, Unavailable
from routing.store import idempotency

BODY = {"queue": "support", "number": CUSTOMER}


@pytest.fixture(autouse=True)
async def a_queue(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK, limits={"requests_per_number": None})
    await service.agent("1001", "support")


async def ask(service: Service, key: str = "k", who: str = "admin", path: str = "callbacks", **body: Any) -> Answer:
    return await service.ask("POST", path, who, json=body or BODY, headers={"Idempotency-Key": key})


async def test_the_same_request_again_is_answered_alike_and_done_once(service: Service) -> None:
    first, again = await ask(service), await ask(service)

    assert (first.status, first.body) == (again.status, again.body)
    assert first.status == 201
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert first.headers["Content-Type"] == again.headers["Content-Type"]


async def test_notes_that_are_sent_twice_stand_there_once(service: Service) -> None:
    interaction = (await ask(service)).body["id"]
    for _ in range(3):
        assert (await ask(service, "n", path=f"interactions/{interaction}/notes", note="Hello")).status == 200

    feed = (await service.ask("GET", f"interactions/{interaction}/feed")).body["items"]
    assert [each["event"] for each in feed].count("note_added") == 1


async def test_of_twenty_at_once_one_is_done_and_all_are_answered_alike(service: Service) -> None:
    await service.token("admin")

    answers = await asyncio.gather(*(ask(service) for _ in range(20)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert sum(REPLAYED in answer.headers for answer in answers) == 19


async def test_a_refusal_is_remembered_too(service: Service) -> None:
    await ask(service, "first")

    refused, again = await ask(service, "second"), await ask(service, "second")

    assert refused.status == again.status == 409
    assert refused.body == again.body
    assert again.headers["Content-Type"].startswith("application/problem+json")


async def test_who_was_told_to_come_again_later_may_do_so_under_the_same_key(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_soon(_: object) -> None:
        raise RateLimited(1)

    with monkeypatch.context() as patch:
        patch.setattr(service.engine, "request", too_soon)
        assert (await ask(service)).status == 429
    assert (await ask(service)).status == 201


async def test_the_same_key_for_something_else_is_a_conflict(service: Service) -> None:
    await ask(service)

    for other in (
        await ask(service, queue="support", number="+4915198765432"),
        await ask(service, path="interactions/bulk", **BODY),
    ):
        assert (other.status, other.body["code"]) in [(409, "idempotency_conflict"), (422, "invalid")]
    assert (await ask(service, queue="support", number="+4915198765432")).body["code"] == "idempotency_conflict"


async def test_everybody_has_their_own_keys(service: Service) -> None:
    await ask(service)

    other = await ask(service, who="supervisor")

    assert (other.status, other.body["code"]) == (409, "duplicate_callback"), "done, and refused for another reason"


async def test_an_answer_is_found_again_by_the_next_process(service: Service) -> None:
    first = await ask(service)
    runner = await start_site(create_app(service.engine, service.engine.pool, realm="ringback"), "127.0.0.1", 0)
    try:
        host, port = runner.addresses[0][:2]
        successor = Service(service.engine, service.phones, service.http, f"http://{host}:{port}", service.tokens)
        again = await ask(successor)
    finally:
        await runner.cleanup()

    assert (again.status, again.body, again.headers[REPLAYED]) == (201, first.body, "true")


async def test_what_a_process_that_died_had_begun_is_done_by_its_successor(service: Service) -> None:
    """It took the key and was killed before it answered; the epoch of the next one is higher."""
    pool, epoch = service.engine.pool, service.engine.lease.ownership.epoch
    taken = await idempotency.begin(pool, "me", "k", b"request", epoch - 1, service.engine.clock.now())

    assert taken is None
    assert await idempotency.begin(pool, "me", "k", b"request", epoch, service.engine.clock.now()) is None, (
        "nobody else will answer it"
    )
    again = await idempotency.begin(pool, "me", "k", b"request", epoch, service.engine.clock.now())
    assert again and again.status is None, "now it is being done"
    other = await idempotency.begin(pool, "me", "k", b"other", epoch + 1, service.engine.clock.now())
    assert other and other.request == b"request"


async def test_what_went_wrong_inside_may_be_asked_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(service.engine, "request", away)
        assert (await ask(service)).status == 503
    assert (await ask(service)).status == 201


async def test_after_a_day_a_key_is_free_and_the_answer_is_gone(service: Service) -> None:
    pool = service.engine.pool
    first = await ask(service)
    await pool.execute("UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'")

    assert (await ask(service)).body["interaction"] == first.body["id"]
    await ask(service, "young")
    await pool.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'k'")
    assert await idempotency.sweep(pool, service.engine.clock.now()) == 1
    assert await pool.fetchval("SELECT count(*) FROM idempotency_keys") == 1


async def test_a_key_that_is_none_is_refused(service: Service) -> None:
    for key in ("", " ", "a b", "\u00e9", "x" * 256):
        answer = await ask(service, key)

        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/Idempotency-Key"), key


async def test_without_a_key_nothing_is_written_down(service: Service) -> None:
    await service.ask("POST", "callbacks", json=BODY)

    assert await service.engine.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_a_token_makes_a_hundred_requests_a_second_and_is_then_told_to_wait(service: Service) -> None:
    app = create_app(service.engine, service.engine.pool, realm="ringback", a_second=20)
    runner = await start_site(app, "127.0.0.1", 0)
    try:
        host, port = runner.addresses[0][:2]
        limited = Service(service.engine, service.phones, service.http, f"http://{host}:{port}", service.tokens)
        await service.token("admin")
        answers = await asyncio.gather(*(limited.ask("GET", "me") for _ in range(60)))
        other = await limited.ask("GET", "me", "supervisor")
    finally:
        await runner.cleanup()

    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert len(answers) - len(refused) >= 20
    assert (refused[0].body["code"], refused[0].headers["Retry-After"]) == ("rate_limited", "1")
    assert other.status == 200


async def test_the_page_of_the_description_needs_no_other_server(service: Service) -> None:
    page = await service.ask("GET", "/docs", None)
    text = page.body.decode()
    files = [part.split('"')[0] for part in text.split('="docs/')[1:]]

    assert page.status == 200
    assert files == ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"]
    assert "//" not in text
    for name in files:
        answer = await service.ask("GET", f"/docs/{name}", None)
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = page.headers["Content-Security-Policy"]
    assert {word for part in policy.split("; ") for word in part.split()[1:]} == {"'none'", "'self'", "data:"}
    for name in ("LICENSE", "..%2fapp.py", "%2e%2e", "nothing"):
        assert (await service.ask("GET", f"/docs/{name}", None)).status == 404


async def test_a_token_revoked_elsewhere_ends_here_within_a_second(service: Service) -> None:
    token = await service.token("admin")
    assert (await service.ask("GET", "me")).status == 200
    headers = {"Authorization": f"Bearer {token}"}

    async with service.http.ws_connect(f"{service.url}/api/v1/stream", headers=headers) as stream:
        await stream.receive()
        async with asyncio.timeout(1.5):
            await service.engine.pool.execute("DELETE FROM tokens")
            while (await stream.receive()).type is not aiohttp.WSMsgType.CLOSE:
                pass
            assert stream.closed

    assert (await service.ask("GET", "me")).status == 401
