"""Who plays in the demo, and where: one queue, one agent, four customers. Counterpart: story.py."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, Worker
from demo.teller import Teller
from demo.understanding import Language, Understanding
from demo.witness import Witness

AGENT = "1001"
QUEUE, DNIS = "demo", "610"
MENU_AFTER = 2.0
SETTINGS: dict[str, Any] = {
    "title": "Demo",
    "workflow": {
        "loop": False,
        "steps": [{"after": MENU_AFTER, "menu": "offer", "keys": {"1": "wait", "2": "callback"}}],
    },
    "callback": {"initial_delay": 1},
    "dial": {"window": ["00:00", "24:00"]},
    "wrap_up": {"seconds": 60, "dispositions": [{"code": "solved", "title": "Solved"}]},
}
"""Nobody at a terminal wants to wait as long as a caller."""

AGENT_TONE, CUSTOMER_TONE = 350, 450
"""What they "say", in hertz."""
_NUMBERS = "+4930231250"  # (0)30 23125 000-999 is kept free for film and print (Bundesnetzagentur 148/2021)


class Customer:
    """`call` is the call in, `hears` what is understood of it, `id` its interaction."""

    call: OutgoingCall
    hears: Understanding
    id: UUID

    def __init__(self, letter: str, phone: Phone) -> None:
        self.letter, self.phone = letter, phone
        self.name = f"customer {letter}"

    @property
    def number(self) -> str:
        return self.phone.number


class Play:
    """What all acts share."""

    def __init__(self, stage: Stage, teller: Teller, language: Language, agent: Worker) -> None:
        self.stage, self.teller, self.language, self.agent = stage, teller, language, agent
        self.agent_name = f"agent {agent.id}"
        self.postgres = Witness(stage.sql)
        self.a, self.b, self.c, self.d = (self._customer(letter) for letter in "ABCD")

    def _customer(self, letter: str) -> Customer:
        number = f"{_NUMBERS}{'ABCD'.index(letter):02}"
        return Customer(letter, self.stage.carrier.phone(number, tone=CUSTOMER_TONE))


async def together(*scenes: Coroutine[Any, Any, None]) -> None:
    """At the same time; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for scene in scenes:
                group.create_task(scene)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
