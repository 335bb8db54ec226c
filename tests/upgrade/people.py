"""People at every point of a call, and callbacks in every status: who they are, and how they get there."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.sip.policy import Policy
from demo.stage import Stage, Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.auditor import Auditor
from tests.calls.desk import AGENT, CUSTOMER, customer_with_callback, is_shown, offered, talk
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
SOON = timedelta(seconds=15)


class Line(AuditedLine):
    """Its agents serve the spare queue, too."""

    async def agent(self, **options: Any) -> Worker:
        self.people += 1
        worker = await self.stage.worker(f"a{self.n:03}x{self.people}", self.queue, SPARE, **options)
        self.auditor.phones.append(worker.phone)
        return worker


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


# Who wait


async def announcing(line: Line) -> Party:
    await _patient(line, **steps({"after": 0.1, "announce": ["thank-you"]}))
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(TONES["thank-you"])
    return Party(line, caller, "open", "announcing", call=call)


async def in_menu(line: Line) -> Party:
    caller = line.caller()
    return Party(line, caller, "bot", "menu", call=await line.in_menu(caller))


async def waits(line: Line) -> Party:
    party = await in_menu(line)
    assert party.call
    await party.call.dtmf("1")
    await party.becomes(status="open", stage=None)
    party.status, party.stage, party.agent = "open", None, await line.agent()
    return party


async def confirms(line: Line) -> Party:
    """The number was read back, and a key is waited for."""
    party = await in_menu(line)
    assert party.call
    await party.call.dtmf("2")
    await party.call.hear(TONES["confirm-keys-other"], 10)
    await party.call.hear(TONES["music"])
    party.stage = "confirm"
    return party


async def enters_number(line: Line) -> Party:
    party = await confirms(line)
    assert party.call
    await party.call.dtmf("2")
    await party.call.hear(TONES["enter-number"])
    party.stage = "number_entry"
    return party


async def is_promised(line: Line) -> Party:
    """Hears the promise."""
    party = await confirms(line)
    assert party.call
    await party.call.dtmf("1")
    await party.call.hear(TONES["booked"])
    party.stage = "booked"
    return party


async def is_sent_away(line: Line) -> Party:
    """Hears a last word."""
    party = await in_menu(line)
    assert party.call
    await party.call.dtmf("9")
    await party.call.hear(TONES["goodbye"])
    party.stage = "leaving"
    return party


# Who are offered to an agent, or with one


async def is_offered(line: Line) -> Party:
    agent = await line.agent()
    customer, _, offer = await offered(line, agent)
    return Party(line, customer, "offered", agent=agent, offer=offer)


async def is_offered_in_silence(line: Line) -> Party:
    """The agent's phone was called, and says nothing yet."""
    agent = await line.agent(policy=policy.manual())
    customer, _ = await customer_with_callback(line)
    await agent.ready()
    party = Party(line, customer, "offered", agent=agent, offer=await agent.phone.incoming())
    await party.becomes(status="offered")
    return party


async def caller_is_offered(line: Line) -> Party:
    party = await waits(line)
    assert party.agent
    await party.agent.ready()
    party.offer = await party.agent.phone.incoming()
    await party.becomes(status="offered")
    party.status = "offered"
    return party


async def _picked_up(line: Line, agent: Worker, of: Policy | None = None) -> Party:
    """The agent's phone rings."""
    customer, _ = await customer_with_callback(line, of)
    party = Party(line, customer, "connected", "agent_ringing", agent)
    await party.asks("pickup")
    party.offer = await agent.phone.incoming()
    return party


async def is_not_dialled_yet(line: Line) -> Party:
    """As the agent has to answer first."""
    await _patient(line, dial={**PATIENT["dial"], "order": "agent_first"})
    party = await _picked_up(line, await line.agent())
    await party.becomes(stage="agent_ringing")
    return party


async def answered_first(line: Line) -> Party:
    """The customer did, and waits until the agent lifts."""
    party = await _picked_up(line, await line.agent())
    party.back = await party.customer.incoming()
    party.back.answer()
    await party.back.hear(TONES["greeting"])
    await party.back.hear(TONES["music"])
    await party.becomes(stage="agent_ringing")
    return party


async def is_dialled(line: Line) -> Party:
    """The customer's phone says nothing yet."""
    party = await _picked_up(line, await line.agent(), policy.manual())
    party.back = await party.customer.incoming()
    await _lifts(party, "dialing")
    return party


async def rings(line: Line) -> Party:
    party = await _picked_up(line, await line.agent())
    party.back = await party.customer.incoming()
    await _lifts(party, "ringing")
    return party


async def _lifts(party: Party, stage: str) -> None:
    assert party.offer
    party.offer.answer()
    await party.offer.answered()
    await party.becomes(stage=stage)
    party.stage = stage


async def talks(line: Line, agent: Worker | None = None) -> Party:
    told = await talk(line, agent)
    return Party(line, told.customer, "connected", "talking", told.agent, offer=told.offer, back=told.back)


async def caller_talks(line: Line) -> Party:
    party = await caller_is_offered(line)
    assert party.offer and party.call
    party.offer.answer()
    await party.becomes(stage="talking")
    await asyncio.gather(party.offer.hear(CUSTOMER), party.call.hear(AGENT))
    party.status, party.stage = "connected", "talking"
    return party


async def may_be_redialled(line: Line) -> Party:
    return await _has_talked(line, await line.agent())


async def _has_talked(line: Line, agent: Worker) -> Party:
    party = await talks(line, agent)
    assert party.back and party.offer
    await party.back.hangup()
    await party.offer.ended()
    await party.becomes(stage="ready_to_call")
    party.stage, party.offer, party.back = "ready_to_call", None, None
    return party


async def is_written_up(line: Line) -> Party:
    party = await caller_talks(line)
    assert party.call and party.offer
    await party.call.hangup()
    await party.offer.ended()
    await party.becomes(status="wrap_up", stage=None)
    party.status, party.stage, party.call, party.offer = "wrap_up", None, None, None
    return party


async def hears_apology(line: Line) -> Party:
    """The customer answered, and the agent hung up."""
    party = await answered_first(line)
    assert party.offer and party.back
    party.offer.reject(486)
    await party.back.hear(TONES["apology"])
    await party.becomes(status="bot", stage="apology")
    party.status, party.stage, party.offer = "bot", "apology", None
    return party


# Who are called later, and who are through: all of one agent, who is not ready


async def later(line: Line) -> People:
    """The agent has just called somebody who was busy: `due_soon` says so."""
    await line.settings(**{**PATIENT, "wrap_up": {"seconds": 600, "dispositions": [{"code": "solved"}]}})
    agent = await line.agent()
    helped = await _was_helped(line, agent)
    busy = await _was_busy(line, agent)
    pressed, asked, tomorrow, cancelled, gave_up = await asyncio.gather(
        customer_with_callback(line),
        _asked_for(line, instructions="Ask for the invoice.", case_data={"order": 7, "vip": True}),
        _asked_for(line, at=(datetime.now(UTC) + timedelta(days=1)).isoformat()),
        _was_cancelled(line),
        _gave_up(line),
    )
    to_be_called = Party(line, pressed[0], "open", agent=agent)
    people = {"to_be_called": to_be_called, "asked_for": asked, "due_tomorrow": tomorrow, "was_busy": busy}
    return {**people, "was_helped": helped, "was_cancelled": cancelled, "gave_up": gave_up}


async def due_soon(people: People) -> None:
    """Two callbacks, one by appointment and one as the customer was busy."""
    busy = people["was_busy"]
    people["due_soon"] = await _asked_for(busy.line, at=(datetime.now(UTC) + SOON).isoformat())
    await busy.asks("done")
    await busy.becomes(status="scheduled")
    busy.status, busy.stage = "scheduled", None


async def _asked_for(line: Line, **body: Any) -> Party:
    """Over the API."""
    customer = line.caller()
    it = await line.stage.api.post("callbacks", {"queue": line.queue, "number": customer.number, **body})
    return Party(line, customer, str(it["status"]))


async def _was_busy(line: Line, agent: Worker) -> Party:
    party = await _picked_up(line, agent, policy.reject(486))
    await party.customer.incoming()
    await party.becomes(stage="ready_to_call")
    party.customer.policy = policy.ring()
    party.stage, party.offer = "ready_to_call", None
    return party


async def _was_helped(line: Line, agent: Worker) -> Party:
    party = await _has_talked(line, agent)
    await party.asks("done")
    await party.asks("done", {"disposition": "solved", "note": "all is well"})
    await is_shown(line, agent, "ready")
    await agent.not_ready()
    return Party(line, party.customer, "closed")


async def _gave_up(line: Line) -> Party:
    party = await in_menu(line)
    assert party.call
    await party.call.hangup()
    await party.becomes(status="closed", outcome="abandoned")
    return Party(line, party.customer, "closed")


async def _was_cancelled(line: Line) -> Party:
    party = await _asked_for(line)
    await line.stage.api.post(f"interactions/{(await party.it())['id']}/cancel", {"reason": "solved by mail"})
    return Party(line, party.customer, "closed")


# Everybody

ON_THE_LINE: Mapping[str, Callable[[Line], Awaitable[Party]]] = {
    each.__name__: each
    for each in (
        *(announcing, in_menu, waits, confirms, enters_number, is_promised, is_sent_away),
        *(
            is_offered,
            is_offered_in_silence,
            caller_is_offered,
            is_not_dialled_yet,
            answered_first,
            is_dialled,
            rings,
        ),
        *(talks, caller_talks, may_be_redialled, is_written_up, hears_apology),
    )
}


async def everybody(stage: Stage, auditor: Auditor) -> People:
    """In queues of their own, so that nobody is offered what is not meant for them."""
    queues = (Line(stage, f"upgrade-{n}", f"70{n:02}", 1, 20 * n, auditor=auditor) for n in itertools.count())
    spare = await _patient(Line(stage, SPARE, "7099", 1, 980, auditor=auditor), callback={"initial_delay": 3600})
    held, _ = await customer_with_callback(spare)
    few = asyncio.Semaphore(8)  # so that nobody's menu is over because the machine is slow
    on_the_line = asyncio.gather(*(_made(next(queues), maker, few) for maker in ON_THE_LINE.values()))
    callbacks, made = await asyncio.gather(later(await _patient(next(queues))), on_the_line)
    people: People = {**dict(zip(ON_THE_LINE, made, strict=True)), **callbacks}
    people["held"] = Party(spare, held, "open")
    await due_soon(people)
    return people


async def _patient(line: Line, **settings: Any) -> Line:
    await line.settings(**{**PATIENT, **settings})
    return line


async def _made(line: Line, maker: Callable[[Line], Awaitable[Party]], few: asyncio.Semaphore) -> Party:
    async with few:
        return await maker(await _patient(line))
