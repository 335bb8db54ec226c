"""When what listens counts as hung: only after many looks in a row to which nobody said anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from routing.local.system.credentials import Login
from routing.local.up.heartbeat import until_hung

LOGIN = Login(username="ringback", password="a secret")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def asterisk(answers: Callable[[int], bytes | None]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers the nth look with those bytes, with nothing at all for None. Its address, and the looks so far."""
    looks: list[bytes] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        looks.append(await reader.readuntil(b"\r\n\r\n"))
        said = answers(len(looks))
        if said is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(said)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(look, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ari", looks


def hung(url: str) -> Awaitable[None]:
    return until_hung(url, LOGIN, every=0.001, patience=0.05)


async def test_after_five_looks_without_an_answer_it_hangs() -> None:
    async with asterisk(lambda n: None) as (url, looks):
        await asyncio.wait_for(hung(url), 5)
    assert len(looks) == 5
    assert looks[0].startswith(b"GET /ari/asterisk/ping ") and b"Authorization: Basic " in looks[0]


async def test_one_answer_in_between_and_the_count_begins_anew() -> None:
    async with asterisk(lambda n: OK if n == 5 else None) as (url, looks):
        await asyncio.wait_for(hung(url), 5)
    assert len(looks) == 10


@pytest.mark.parametrize("said", [OK, REFUSED, b""])
async def test_whoever_says_anything_lives(said: bytes) -> None:
    async with asterisk(lambda n: said if n <= 20 else None) as (url, looks):
        await asyncio.wait_for(hung(url), 5)
    assert len(looks) == 25


async def test_who_is_not_there_is_dead_and_not_hung() -> None:
    async with asterisk(lambda n: OK) as (url, _):
        pass
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hung(url), 0.1)
