"""A customer in a queue of their own, the agent they are with, and their calls."""

from dataclasses import dataclass
from typing import Any

from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Worker
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine

SPARE = "spare"
"""A queue that every agent serves. Its one callback is held for an hour, so that it is offered to nobody."""
_KEYS = {"1": "wait", "2": "callback", "9": {"hangup": {"say": "goodbye"}}}
PATIENT: dict[str, Any] = {
    **steps(menu(timeout=60, keys=_KEYS)),
    "offer": {"accept_timeout": 600, "answer_timeout": 600, "exclude": 60},
    "dial": {"ring_timeout": 120, "ready_to_call": 600, "retry": {"busy": [3, 15]}},
    "callback": {"initial_delay": 0, "alternate_number": True},
    "wrap_up": {"seconds": 600},
    "abandon": {"short": 0},
}
"""A queue in which nothing happens by itself while the machine is upgraded, but what is to happen soon after."""


class Line(AuditedLine):
    """Its agents serve the spare queue, too."""

    @property
    def served(self) -> tuple[str, ...]:
        return (*super().served, SPARE)


People = dict[str, "Party"]
"""By what they are doing."""


@dataclass
class Party:
    """A customer, the agent it is with, and their calls, as far as there are any: `call` is the customer's own,
    `offer` that to the agent, `back` that to the customer."""

    line: Line
    customer: Phone
    status: str
    stage: str | None = None
    agent: Worker | None = None
    call: OutgoingCall | None = None
    offer: IncomingCall | None = None
    back: IncomingCall | None = None

    @property
    def calls(self) -> list[OutgoingCall | IncomingCall]:
        return [each for each in (self.call, self.offer, self.back) if each]

    @property
    def far(self) -> OutgoingCall | IncomingCall:
        """The customer's end."""
        far = self.call or self.back
        assert far
        return far

    async def it(self) -> dict[str, Any]:
        return await self.line.stage.interaction(self.customer.number)

    async def becomes(self, **expected: Any) -> dict[str, Any]:
        return await self.line.stage.when(self.customer.number, within=10, **expected)

    async def asks(self, verb: str, body: object = None) -> dict[str, Any]:
        """The agent does, over the API."""
        assert self.agent
        return dict(await self.agent.api.post(f"interactions/{(await self.it())['id']}/{verb}", body))


async def patient(line: Line, **settings: Any) -> Line:
    await line.settings(**{**PATIENT, **settings})
    return line
