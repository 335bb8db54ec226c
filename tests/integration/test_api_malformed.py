"""Whatever is sent to whichever route: a problem document below 500, and the service lives on."""

import asyncio
import json
import random
import zlib
from typing import Any

import pytest
from api_service import QUICK, Answer, Service

from tests.malformed import BODIES, NAMES, QUERIES, everything


@pytest.fixture(autouse=True)
async def something_there(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK)
    for agent in ("1001", "1002"):  # the one things are done to, and the one who does them
        await service.agent(agent, "support")


def check(answer: Answer, *about: Any) -> None:
    assert answer.status < 500, (about, answer)
    assert answer.status != 401 or "/api/v1/login" in about, about  # nothing stops at the door
    if answer.status >= 400:
        assert answer.headers["Content-Type"].startswith("application/problem+json"), about
        assert {"code", "status", "title", "detail", "type"} <= set(answer.body), about
        assert answer.body["status"] == answer.status, about


async def test_no_body_is_too_strange(service: Service) -> None:
    for name in ("1001", str(await service.callback())):
        for method, path, who in everything(name):
            if method == "GET":
                continue
            for kind, body in BODIES.items():
                check(await service.ask(method, path, who, data=body), method, path, kind)


async def test_no_name_is_too_strange(service: Service) -> None:
    for name in NAMES:
        for method, path, who in everything(name):
            check(await service.ask(method, path, who, json={"state": "not_ready"}), method, path)


async def test_no_query_is_too_strange(service: Service) -> None:
    for query in QUERIES:
        for method, path, who in everything("1001"):
            if method == "GET" and not path.endswith(("metrics", "readyz")):
                check(await service.ask(method, f"{path}?{query}", who), path, query)


async def test_random_changes_to_a_valid_queue_never_break_anything(service: Service) -> None:
    valid = (await service.ask("GET", "queues/support")).body
    dice = random.Random(7)
    for _ in range(150):
        text = list(json.dumps(valid))
        for _ in range(dice.randint(1, 4)):
            text[dice.randrange(len(text))] = dice.choice(['"', "{", "[", "0", "-", "é", "\\", ",", "null", "1e9"])
        check(await service.ask("PUT", "queues/support", data="".join(text).encode()), text)


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/API/v1/me", "//", "/%00"])
async def test_an_unknown_path_is_a_problem_too(service: Service, path: str) -> None:
    answer = await service.ask("GET", path)

    assert (answer.status, answer.body["code"]) == (404, "not_found")


async def test_a_method_a_path_does_not_have_is_405_with_those_it_has(service: Service) -> None:
    answer = await service.ask("POST", "agents/1001")

    assert (answer.status, answer.body["code"]) == (405, "method_not_allowed")
    assert "PUT" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["agents/1001", "queues/support"])
async def test_a_body_over_64_kib_is_413_however_it_comes(service: Service, path: str) -> None:
    big = json.dumps({"name": "x" * 70_000}).encode()

    async def in_pieces():
        for start in range(0, len(big), 1000):
            yield big[start : start + 1000]

    bomb = zlib.compress(b" " * 20_000_000)
    for options in (
        {"data": big},
        {"data": in_pieces()},
        {"data": bomb, "headers": {"Content-Encoding": "deflate"}},
    ):
        answer = await service.ask("PUT", path, **options)
        assert (answer.status, answer.body["code"]) == (413, "too_large")


async def test_a_body_of_exactly_64_kib_is_read(service: Service) -> None:
    body = b'{"name": "x"' + b" " * (65536 - 13) + b"}"

    assert (await service.ask("PUT", "agents/1001", data=body)).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x"])
async def test_a_body_that_cannot_be_unpacked_is_refused(service: Service, encoding: str) -> None:
    answer = await service.ask("PUT", "agents/1001", data=b"nonsense", headers={"Content-Encoding": encoding})

    assert 400 <= answer.status < 500


async def test_a_client_that_leaves_in_the_middle_harms_nobody(service: Service) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    token = await service.token("admin")
    headers = f"Host: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000"
    head = f"PUT /api/v1/agents/1001 HTTP/1.1\r\n{headers}\r\n\r\n"
    for sent in ("GET", "GET / HTTP/9.9\r\n\r\n", "\x00\x00\x00", head, head + '{"name"'):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(sent.encode())
        await writer.drain()
        writer.transport.abort()

    assert (await service.ask("GET", "/healthz", None)).body == {"status": "ok"}


async def test_what_goes_wrong_inside_is_logged_and_not_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> dict[str, bool]:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(service.engine, "health", broken)

    answer = await service.ask("GET", "/readyz", None)

    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(answer.body)
    assert "the secret reason" in capsys.readouterr().out


async def test_what_is_no_http_is_told_in_a_line_and_without_a_traceback(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")

    assert b" 400 " in await reader.readline()

    writer.close()
    (told,) = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert (told.levelname, told.exc_info) == ("INFO", None)
    assert "BadHttpMessage" in told.getMessage() and "127.0.0.1" in told.getMessage()
