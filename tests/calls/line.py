"""A queue of a test's own: its number, its agents, its callers."""

from dataclasses import dataclass
from typing import Any

from demo.sip.carrier import Phone
from demo.sip.outgoing import OutgoingCall
from demo.sip.policy import Policy
from demo.stage import Stage, Worker
from routing.local.asterisk.prompts import TONES

FAST: dict[str, Any] = {
    "workflow": {
        "steps": [
            {"after": 0.3, "menu": "offer", "keys": {"1": "wait", "2": "callback"}, "tries": 3, "timeout": 0.6},
        ],
    },
    "callback": {"initial_delay": 0.1},
    "abandon": {"short": 1.0},
    "offer": {"accept_timeout": 2.0, "answer_timeout": 2.0, "exclude": 1.0},
    "dial": {"ring_timeout": 3.0, "ready_to_call": 20.0, "window": ["00:00", "24:00"], "cps": 100},
    "wrap_up": {"seconds": 0.5},
}


@dataclass
class Line:
    """A queue of the test's own: its DNIS, its agents, its callers."""

    stage: Stage
    queue: str
    dnis: str
    n: int
    people: int = 0

    async def settings(self, **settings: Any) -> None:
        """Change the queue: `FAST` with these keys replaced, or merged where both are tables."""
        merged = {
            key: {**FAST.get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in settings.items()
        }
        await self.stage.queue(self.queue, self.dnis, **{**FAST, **merged})

    @property
    def served(self) -> tuple[str, ...]:
        """The queues of its agents."""
        return (self.queue,)

    async def agent(self, **options: Any) -> Worker:
        """An agent of this queue, registered and logged in, Not Ready."""
        self.people += 1
        return await self.stage.worker(f"a{self.n:03}x{self.people}", *self.served, **options)

    def caller(self, policy: Policy | None = None) -> Phone:
        """Somebody with a number of their own, tone 450 Hz."""
        self.people += 1
        return self.stage.carrier.phone(f"+49151{self.n:05}{self.people:03}", policy, tone=450)

    async def call(self, caller: Phone, **options: Any) -> OutgoingCall:
        """Ring in and be answered."""
        call = await caller.call(self.dnis, **options)
        await call.answered()
        return call

    async def in_menu(self, caller: Phone, **options: Any) -> OutgoingCall:
        """Ring in and wait for the offer."""
        call = await self.call(caller, **options)
        await call.hear(TONES["menu-offer"], 5)
        return call

    async def callback(self, caller: Phone) -> dict[str, Any]:
        """Ring in, press 2, hang up: the open callback."""
        call = await self.in_menu(caller)
        await call.dtmf("2")
        await call.hear(TONES["confirm-number"], 5)
        await call.hangup()
        return await self.stage.when(caller.number, status="open", subtype="callback")
