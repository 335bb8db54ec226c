"""F37: what is no HTTP, no JSON, or not what was asked for, while people are on the line: refused, without a word of
Postgres, and nobody hears anything of it."""

import asyncio
import contextlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from yarl import URL

from routing.store.tokens import create_token
from tests.calls.desk import hear_each_other, talk
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT
from tests.malformed import BODIES, NAMES, QUERIES, everything

pytestmark = pytest.mark.asyncio(loop_scope="session")

_OF_POSTGRES = re.compile(
    r"asyncpg|postgres|psql|sqlstate|violates|constraint|relation \"|syntax error|byte sequence|traceback|DETAIL:",
    re.I,
)
FUZZED = 5000
PATIENCE = 1.0
"""Seconds for an answer: some are never over, such as one with a body that is shorter than announced."""
TOKENS = 20
"""Each may make a hundred requests a second."""

_NOBODY = "00000000-0000-4000-8000-000000000000"
_VALID: tuple[tuple[str, str, Any], ...] = (
    ("PUT", "queues/malformed", {"name": "malformed", "numbers": ["6999"], "wrap_up": {"seconds": 1.5}}),
    ("PUT", "agents/1999", {"name": "Nobody", "password": "a-long-password", "queues": [{"queue": "malformed"}]}),
    ("PUT", "agents/1999/state", {"state": "not_ready", "reason": "break"}),
    ("POST", "callbacks", {"queue": "malformed", "number": "+4915112345678", "at": "2031-02-03T04:05:06+01:00"}),
    ("POST", "interactions/bulk", {"action": "cancel", "ids": [_NOBODY], "reason": "none"}),
    ("POST", "numbers/check", {"queue": "malformed", "number": "+4915112345678"}),
    ("PUT", "do-not-call/+4915112345678", {"reason": "asked"}),
    ("PATCH", f"interactions/{_NOBODY}", {"note": "text", "priority": 3}),
    ("GET", "interactions?limit=10&order=line&q=abc", None),
)
_STRANGE: tuple[Any, ...] = (
    *(None, True, "", [], {}, -1, 0, 1e308, 2**31, 2**63, -(2**63), 10**400, "\0", "\ud800", "💥", "a" * 5000),
    *("2031-13-45T99:99:99Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "'; --", [[[[]]]], {"": {}}),
)
_SPLICES = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n\n",
    b'"',
    b"{" * 200,
    b"[" * 3000,
    b"9" * 5000,
    b"%00",
    b":",
)
_HEADS = (
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: 1\r\nContent-Length: 2",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Content-Encoding: gzip",
    b"Content-Encoding: deflate",
    b"Content-Type: \xff\0",
    b"Expect: 100-continue",
    b"Expect: \xe2\x80\xa8",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Idempotency-Key: " + b"k" * 4000,
    b"Idempotency-Key: \x80\x81",
    b"Authorization: Bearer \xff",
    b"X: " + b"y" * 20_000,
    b" folded: header",
    b"no colon",
)


@dataclass
class Answers:
    """What came back."""

    statuses: list[int] = field(default_factory=list)
    of_postgres: list[str] = field(default_factory=list)

    def take(self, status: int, text: str) -> None:
        self.statuses.append(status)
        if status >= 400 and _OF_POSTGRES.search(text):
            self.of_postgres.append(text)

    def note(self, figures: Figures, what: str) -> None:
        """A 429 would say that the request was not looked at."""
        assert self.statuses.count(429) < len(self.statuses) / 20
        figures.note("F37", f"5xx, {what}", sum(status >= 500 for status in self.statuses), limit=0)
        figures.note("F37", f"database texts in answers, {what}", len(self.of_postgres), limit=0)


@pytest.mark.timeout(300)
async def test_f37_malformed_requests_are_refused_and_nobody_on_the_line_hears_of_it(
    rig: Rig, line: AuditedLine, figures: Figures, full: bool
) -> None:
    await line.settings(**PATIENT)
    pair, call = await talk(line), await line.in_menu(line.caller())
    tokens = [await create_token(rig.parts.postgres.dsn, "admin") for _ in range(TOKENS)]
    agents = [pair.agent.api.headers["Authorization"].removeprefix("Bearer ")]
    call.reset_gaps()
    cases = list(_cases())
    some = cases if full else random.Random(37).sample(cases, 400)
    (await _asked(rig, some, tokens, agents)).note(figures, f"{len(some):,} requests")
    if full:
        (await _fuzzed(rig, tokens)).note(figures, f"{FUZZED:,} random requests")
    figures.note("F37", "silence heard by the caller meanwhile", call.gaps.silence, unit="s", limit=2)
    await hear_each_other(pair.offer, pair.back)
    await call.hangup()
    await pair.back.hangup()


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    who: str
    body: bytes | None = None


def _cases() -> Iterator[Case]:
    """Each strange body, name and query for each route. Not the live stream, which stays open."""
    for name in ("1001", _NOBODY, *NAMES):
        for method, path, who in everything(name):
            if path.endswith("/stream"):
                continue
            if name in NAMES:
                yield Case(method, path, who, b'{"state": "not_ready"}')
            elif method == "GET":
                yield from (Case(method, f"{path}?{query}", who) for query in QUERIES)
            else:
                yield from (Case(method, path, who, body) for body in BODIES.values())


async def _asked(rig: Rig, cases: list[Case], admins: list[str], agents: list[str]) -> Answers:
    """One after the other."""
    answers = Answers()
    async with aiohttp.ClientSession() as http:
        for i, case in enumerate(cases):
            tokens = admins if case.who == "admin" else agents
            headers = {"Authorization": f"Bearer {tokens[i % len(tokens)]}"}
            async with http.request(case.method, rig.url + case.path, data=case.body, headers=headers) as response:
                answers.take(response.status, await response.text(errors="replace"))
    return answers


# Random ones, past every client library


async def _fuzzed(rig: Rig, tokens: list[str]) -> Answers:
    """Some at a time, each over a connection of its own."""
    answers, dice, room = Answers(), random.Random(37), asyncio.Semaphore(32)

    async def one(request: bytes) -> None:
        async with room:
            for status, text in await _exchange(rig, request):
                answers.take(status, text)

    async with asyncio.TaskGroup() as group:
        for i in range(FUZZED):
            group.create_task(one(_request(dice, tokens[i % len(tokens)])))
    assert len(answers.statuses) > 0.8 * FUZZED
    return answers


def _request(dice: random.Random, token: str) -> bytes:
    """A valid one, changed in its values, its bytes or its head."""
    method, path, valid = dice.choice(_VALID)
    body = b"" if valid is None else json.dumps(_changed(dice, valid)).encode()
    if dice.random() < 0.3:
        body = _spliced(dice, body)
    about = (b"Connection: close", b"Authorization: Bearer " + token.encode(), b"Content-Length: %d" % len(body))
    lines = [b"Host: x", *about]
    if dice.random() < 0.3:
        lines.insert(dice.randrange(5), dice.choice(_HEADS))
    target = str(URL(f"/api/v1/{path}")).encode()
    head = b"\r\n".join([b"%s %s HTTP/1.1" % (method.encode(), target), *lines, b"", b""])
    return (_spliced(dice, head) if dice.random() < 0.2 else head) + body


def _changed(dice: random.Random, value: Any) -> Any:
    """Somewhere in it something else."""
    if dice.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return dice.choice(_STRANGE)
    if isinstance(value, list):
        return [_changed(dice, value[0]), *value[1:]]
    key = dice.choice(list(value))
    return {
        **value,
        key if dice.random() < 0.9 else dice.choice(["", "\0", "\udfff", "x"]): _changed(dice, value[key]),
    }


def _spliced(dice: random.Random, data: bytes) -> bytes:
    """Something strange in place of some bytes."""
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(_SPLICES) + data[at + dice.randrange(4) :]


async def _exchange(rig: Rig, request: bytes) -> list[tuple[int, str]]:
    """The answers, which may be none or several."""
    answer = b""
    with contextlib.suppress(OSError):  # TimeoutError is one
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.ports.http)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                while got := await reader.read(65536):
                    answer += got
        finally:
            writer.transport.abort()
    told = answer.decode(errors="replace")
    return [(int(status), told) for status in re.findall(r"HTTP/1\.[01] (\d{3}) ", told)]
