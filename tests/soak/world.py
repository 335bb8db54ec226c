"""What all people of the soak share: the stage, dice with a seed, the end, and the counts of what was done."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from demo.api import Refused
from demo.sip.call import Call
from demo.sip.errors import SipError
from demo.stage import Stage
from tests.calls.auditor import Auditor

QUEUE, DNIS = "soak", "7100"
SOON = 20.0
"""Seconds for whatever should happen at once: the machine may be busy with other things as well."""
SETTINGS: dict[str, Any] = {
    "workflow": {
        "loop": True,
        "steps": [
            {"after": 0.2, "menu": "offer", "keys": {"1": "wait", "2": "callback"}, "tries": 2, "timeout": 2},
            {"after": 4, "announce": ["position"]},
        ],
    },
    "callback": {"initial_delay": 0.5},
    "offer": {"accept_timeout": 4.0, "answer_timeout": 4.0, "exclude": 1.0},
    "dial": {
        "ring_timeout": 6.0,
        "ready_to_call": 5.0,
        "window": ["00:00", "24:00"],
        "cps": 100,
        "retry": {"busy": [2, 5], "no_answer": [2, 5], "congestion": [2, 5]},
        "max_attempts": 2,
    },
    "wrap_up": {"seconds": 2.0},
    "limits": {
        "requests_per_number": None,
        "dials_per_number": None,
        "requests_per_source": None,
        "requests_per_prefix": None,
        "requests_per_agent": None,
    },
}


@dataclass
class World:
    """`live` holds the calls that are up, for those who ask something inside them."""

    stage: Stage
    auditor: Auditor
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    live: set[Call] = field(default_factory=set)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def over(self, seconds: float) -> bool:
        """Waits so long, or until the end; whether it is the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ending.wait()
        return self.ending.is_set()

    async def ask(self, asked: Awaitable[Any]) -> Any:
        """The API's answer, None when it refuses: people are often too late. A 5xx is a complaint."""
        self.done["API requests"] += 1
        try:
            return await asked
        except Refused as error:
            self.done["refused by the API"] += 1
            if error.status >= 500:
                self.complaints.append(str(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            self.complaints.append(f"the API: {error!r}")
        return None

    async def without_trouble(self, doing: Coroutine[Any, Any, None]) -> None:
        """What a phone waits for in vain is a complaint, and life goes on."""
        try:
            await doing
        except SipError as error:
            self.complaints.append(str(error))

    @contextlib.contextmanager
    def up(self, call: Call) -> Any:
        self.live.add(call)
        try:
            yield
        finally:
            self.live.discard(call)
