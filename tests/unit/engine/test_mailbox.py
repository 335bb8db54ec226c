"""Envelopes are handled one after another, and one that fails does not hold up the next."""

import asyncio
from collections.abc import Awaitable
from uuid import UUID

import pytest

from routing.core.events import DigitPressed
from routing.core.interaction import Interaction
from routing.engine.mailbox import Envelope, Mailbox
from tests.lifecycle.explore import arrival

IT = arrival().interaction


async def test_letters_are_handled_strictly_in_order_even_when_they_take_time() -> None:
    handled: list[str] = []

    async def handle(_: Mailbox, envelope: Envelope) -> None:
        assert isinstance(envelope.event, DigitPressed)
        await asyncio.sleep(0.01 if envelope.event.digit == "1" else 0)
        handled.append(envelope.event.digit)
        envelope.reply(IT)

    await deliver(Mailbox(UUID(int=1), handle), "123")
    assert handled == ["1", "2", "3"]


async def test_a_letter_that_fails_is_answered_and_the_next_one_is_handled() -> None:
    async def handle(_: Mailbox, envelope: Envelope) -> None:
        if isinstance(envelope.event, DigitPressed) and envelope.event.digit == "1":
            raise ValueError("a bug")
        envelope.reply(IT)

    first, second = await deliver(Mailbox(UUID(int=1), handle), "12")
    assert isinstance(first, ValueError) and second == IT


async def deliver(box: Mailbox, digits: str) -> list[Interaction | BaseException]:
    tasks: list[asyncio.Future[None]] = []

    def spawn(work: Awaitable[None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    envelopes = [
        Envelope(DigitPressed("leg", each), 0.0, asyncio.get_running_loop().create_future()) for each in digits
    ]
    for envelope in envelopes:
        box.post(envelope, spawn)
    answers = [envelope.answer for envelope in envelopes if envelope.answer]
    results = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 1)
    await asyncio.gather(*tasks)
    assert box.idle
    return results


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """The log of the bug is meant."""
