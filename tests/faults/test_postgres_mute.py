"""F11 at every stage of a call: Postgres says nothing for 1 to 30 s, while everybody does what is next for them.

Each story has three parts: how it comes to its stage; what is done there, in the middle of the silence; how it goes
on once Postgres is heard again. Nobody is dropped, promised what is not stored, or called twice.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import pytest

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.incoming import IncomingCall
from demo.sip.policy import Policy
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import hear_each_other, status_of
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, confirms, few_at_a_time, in_menu, own_line

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ_BACK, BOOKED = TONES["confirm-number"], TONES["booked"]
SHORTEST, LONGEST, FAST = 1.0, 30.0, 2.0
"""Seconds."""
STORED_WITHIN = 3.0
"""Seconds after the silence in which a key that was not given up is stored."""
GOES_ON = 10.0
"""Seconds after the silence in which everything has to go on."""


@dataclass
class Place:
    """A queue with an agent of its own, the same for all rounds; the customers are others each time."""

    line: AuditedLine
    agent: Worker

    async def callback(self, how: Policy | None = None) -> tuple[Phone, str]:
        customer = self.line.caller(how)
        body = {"queue": self.line.queue, "number": customer.number}
        return customer, str((await self.line.stage.api.post("callbacks", body))["id"])

    async def picks_up(self, interaction: str) -> IncomingCall:
        await self.agent.api.post(f"interactions/{interaction}/pickup")
        return await self.agent.phone.incoming()

    async def calls(self, how: Policy | None = None) -> tuple[Phone, str, IncomingCall, IncomingCall]:
        """An agent who has lifted, and the INVITE at the customer's: customer, interaction, both calls."""
        customer, interaction = await self.callback(how)
        offer = await self.picks_up(interaction)
        offer.answer()
        return customer, interaction, offer, await customer.incoming()

    async def ends(self, customer: Phone, interaction: str, invites: int = 1) -> None:
        """They talked; then everything is over, and the agent free for the next round."""
        assert len(customer.invites) == invites, f"{customer.number} was called {len(customer.invites)} times"
        await self.line.stage.when(customer.number, stage="talking", assigned_to=self.agent.id)
        await customer.calls[-1].hangup()
        await self.line.stage.when(customer.number, stage="ready_to_call")
        await self.agent.not_ready()
        await self.agent.api.post(f"interactions/{interaction}/done")
        await self.line.stage.when(customer.number, status="closed", outcome="handled")


Story = Callable[[Place], AsyncIterator[None]]


async def a_caller_in_the_menu(place: Place) -> AsyncIterator[None]:
    """Presses 2 and stays. A key is given up after ten seconds: then it is pressed again."""
    phone, call = await in_menu(place.line)
    yield
    await call.dtmf("2")
    yield
    if not await _counted(place, phone, "menu"):
        await asyncio.gather(call.hear(READ_BACK, GOES_ON), call.dtmf("2"))
    await place.line.stage.when(phone.number, status="bot", stage="confirm")
    await call.hangup()


async def a_caller_in_the_menu_who_hangs_up(place: Place) -> AsyncIterator[None]:
    phone, call = await in_menu(place.line)
    yield
    await call.dtmf("2")
    await call.hangup()
    yield
    await place.line.stage.when(phone.number, GOES_ON, status="open", subtype="callback")


async def a_caller_who_confirms(place: Place) -> AsyncIterator[None]:
    """Hears the number read back and presses 1."""
    phone, call = await confirms(place.line)
    yield
    await call.dtmf("1")
    yield
    if not await _counted(place, phone, "confirm"):
        await asyncio.gather(call.hear(BOOKED, GOES_ON), call.dtmf("1"))
    await place.line.stage.when(phone.number, GOES_ON, status="open", subtype="callback")
    await call.hangup()


async def an_agent_who_is_offered_a_callback(place: Place) -> AsyncIterator[None]:
    customer, interaction = await place.callback(policy.answer())
    await place.agent.ready()
    offer = await place.agent.phone.incoming()
    await place.line.stage.when(customer.number, status="offered")
    yield
    offer.answer()
    yield
    await hear_each_other(offer, await customer.incoming(GOES_ON))
    await place.ends(customer, interaction)


async def an_agent_who_picked_up(place: Place) -> AsyncIterator[None]:
    """The agent's phone rings; the customer is called once it was lifted."""
    customer, interaction = await place.callback(policy.answer())
    offer = await place.picks_up(interaction)
    await place.line.stage.when(customer.number, stage="agent_ringing")
    yield
    offer.answer()
    yield
    await hear_each_other(offer, await customer.incoming(GOES_ON))
    await place.ends(customer, interaction)


async def a_customer_who_is_dialled(place: Place) -> AsyncIterator[None]:
    """The INVITE is there; the phone rings, and is answered, while Postgres says nothing."""
    customer, interaction, offer, back = await place.calls(policy.manual())
    await place.line.stage.when(customer.number, stage="dialing")
    yield
    back.ring()
    back.answer()
    yield
    await hear_each_other(offer, back)
    await place.ends(customer, interaction)


async def a_customer_whose_phone_rings(place: Place) -> AsyncIterator[None]:
    customer, interaction, offer, back = await place.calls()
    await place.line.stage.when(customer.number, stage="ringing")
    yield
    back.answer()
    yield
    await hear_each_other(offer, back)
    await place.ends(customer, interaction)


async def two_who_talk(place: Place) -> AsyncIterator[None]:
    customer, interaction, offer, back = await place.calls(policy.answer())
    await hear_each_other(offer, back)
    offer.reset_gaps()
    back.reset_gaps()
    yield
    await hear_each_other(offer, back)
    yield
    gap = max(offer.gaps.silence, back.gaps.silence)
    assert gap <= 2, f"{gap} s of silence"
    await hear_each_other(offer, back)
    await place.ends(customer, interaction)


async def an_agent_who_may_redial(place: Place) -> AsyncIterator[None]:
    """Clicks on redial while Postgres says nothing: refused, unless that was soon over. Once it is heard again, the
    customer is called once, however often was clicked (`Retry-After` is a second)."""
    customer, interaction, offer, back = await place.calls(policy.answer())
    await hear_each_other(offer, back)
    await back.hangup()
    await place.line.stage.when(customer.number, stage="ready_to_call")
    yield
    first = await status_of(place.agent.api.post(f"interactions/{interaction}/redial"))
    assert first in ((200, None), (503, "unavailable")), first
    yield
    await _is_heard(place, f"interactions/{interaction}/redial")
    offer = await place.agent.phone.incoming(GOES_ON)
    offer.answer()
    await hear_each_other(offer, await customer.incoming(GOES_ON))
    assert len(place.agent.phone.calls) - place.agent.phone.calls.index(offer) == 1, "rung twice"
    await place.ends(customer, interaction, invites=2)


STORIES: tuple[Story, ...] = (
    a_caller_in_the_menu,
    a_caller_in_the_menu_who_hangs_up,
    a_caller_who_confirms,
    an_agent_who_is_offered_a_callback,
    an_agent_who_picked_up,
    a_customer_who_is_dialled,
    a_customer_whose_phone_rings,
    two_who_talk,
    an_agent_who_may_redial,
)


async def _counted(place: Place, phone: Phone, stage: str) -> bool:
    """Whether the key that was pressed at this stage counted after all: it is tried for ten seconds."""

    async def beyond() -> bool:
        return bool((await place.line.stage.interaction(phone.number))["stage"] != stage)

    with contextlib.suppress(AssertionError):
        await place.line.stage.until(beyond, "the key is stored", STORED_WITHIN)
    return await beyond()


async def _is_heard(place: Place, path: str) -> None:
    """Click until it is not refused for Postgres' sake any more; perhaps the first click has counted meanwhile."""

    async def done() -> bool:
        answer = await status_of(place.agent.api.post(path))
        assert answer in ((200, None), (409, "wrong_stage"), (503, "unavailable")), answer
        return answer[0] != 503

    await place.line.stage.until(done, "the click is heard", GOES_ON)


async def test_f11_postgres_says_nothing_at_every_stage_of_a_call(
    rig: Rig, line: AuditedLine, figures: Figures, rounds: Callable[[int], range], full: bool
) -> None:
    many = [story for story in STORIES for _ in range(3 if full else 1)]
    places = await few_at_a_time(_place(line, n, story) for n, story in enumerate(many))
    times = rounds(3)
    for n in times:
        share = n / (len(times) - 1) if len(times) > 1 else 0
        seconds = SHORTEST + (LONGEST - SHORTEST) * share**2 if full else FAST
        own = [Place(replace(each.line, n=each.line.n + 1000 * (n + 1)), each.agent) for each in places]
        told = [story(place) for story, place in zip(many, own, strict=True)]
        await asyncio.gather(*(anext(each) for each in told))
        await _mute(rig, told, seconds)
        ends = await asyncio.gather(*(anext(each, None) for each in told), return_exceptions=True)
        _note(figures, many, ends, seconds)


async def _place(line: AuditedLine, n: int, story: Story) -> Place:
    own = own_line(line, n)
    order = "agent_first" if story is an_agent_who_picked_up else "on_alert"
    settings = {**PATIENT, "dial": {**PATIENT["dial"], "order": order}, "limits": {"requests_per_agent": None}}
    await own.settings(**settings)
    return Place(own, await own.agent())


async def _mute(rig: Rig, told: list[AsyncIterator[None]], seconds: float) -> None:
    """The proxy in front of Postgres stands still; the second part of the stories is told in the middle."""
    end = time.monotonic() + seconds
    rig.pg.half_open()
    try:
        await asyncio.sleep(seconds / 2)
        await asyncio.gather(*(anext(each) for each in told))
        await asyncio.sleep(end - time.monotonic())
    finally:
        await rig.pg.heal()


def _note(figures: Figures, many: list[Story], ends: list[BaseException | None], seconds: float) -> None:
    wrong = defaultdict(list)
    for story, end in zip(many, ends, strict=True):
        wrong[story.__name__.replace("_", " ")] += [end] if end else []
    told = [f"{name}, {seconds:.1f} s: {each!r}" for name, those in wrong.items() for each in those]
    assert not told, "\n".join(told)
    for name, those in wrong.items():
        figures.note("F11", f"Postgres mute, {name}: went wrong", len(those), limit=0)
