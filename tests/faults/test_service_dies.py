"""F1, F4–F7 under `ringback up`: kill -9 of the service at every point of the path, and a service that hangs. Nobody
is lost, nobody is called twice. On a stage of their own, as the rig has no supervisor."""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.errors import CallFailed
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, Worker, scratch_stage
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import (
    Talk,
    customer_with_callback,
    feed_of,
    hear_each_other,
    kill,
    offered,
    stands_by,
    talk,
)
from tests.calls.line import Line
from tests.calls.story import menu, steps
from tests.faults.figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

_counter = itertools.count(1)
PAIRS = 3
"""Customers and agents who ring, and as many who talk, during each kill."""
_ALONE = """
SELECT count(*) FROM attempts a
 WHERE a.interaction = ANY($1::uuid[]) AND a.answered_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM feed f WHERE f.interaction = a.interaction AND f.event = 'talking')
"""
LATEST = 0.030
"""Seconds after an accept within which the service is killed."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    async with scratch_stage("kill") as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def line(stage: Stage) -> AsyncIterator[Line]:
    n = next(_counter)
    made = Line(stage, f"queue-{n}", f"7{n:03}", n)
    await made.settings()
    yield made


# While they ring, talk, listen to the menu, are offered


async def _pair(line: Line) -> Talk:
    """An agent who hears that the customer's phone rings."""
    agent = await line.agent()
    customer, interaction = await customer_with_callback(line)
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="ringing")
    return Talk(agent, customer, offer, back, interaction)


async def _begins_to_talk(line: Line, pair: Talk) -> None:
    pair.back.answer()
    await hear_each_other(pair.offer, pair.back)
    await line.stage.when(pair.customer.number, stage="talking")
    pair.offer.reset_gaps()
    pair.back.reset_gaps()


async def _ends_well(line: Line, pair: Talk) -> None:
    """As if nothing had been."""
    await hear_each_other(pair.offer, pair.back)
    number = pair.customer.number
    await line.stage.when(number, status="connected", stage="talking", assigned_to=pair.agent.id)
    await pair.back.hangup()
    await pair.offer.ended()
    await line.stage.when(number, status="connected", stage="ready_to_call")
    await pair.agent.api.post(f"interactions/{pair.id}/done")
    it = await line.stage.when(number, status="closed", outcome="handled")
    assert [attempt["outcome"] for attempt in it["attempts"]] == ["answered"]
    assert len(pair.customer.invites) == len(pair.agent.phone.invites) == 1
    assert len(await feed_of(line, pair.id, "talking")) == 1


async def test_f1_f5_f6_kills_while_customers_ring_talk_choose_in_the_menu_and_agents_are_offered(
    line: Line, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Each kill is one for every one of them."""
    kills = len(repeats(3, 10))
    for n in repeats(1, 3):
        await _kills(_own(line, 30 * n + 1), figures, kills)


async def _kills(line: Line, figures: Figures, times: int) -> None:
    await line.settings(**steps(menu(timeout=60)), offer={"accept_timeout": 120}, dial={"ring_timeout": 120})
    agent = await line.agent()
    late, late_id, offer = await offered(line, agent)
    ringing = await asyncio.gather(*(_pair(line) for _ in range(PAIRS)))
    talking = await asyncio.gather(*(_pair(line) for _ in range(PAIRS)))
    await asyncio.gather(*(_begins_to_talk(line, each) for each in talking))
    caller = line.caller()
    call = await line.in_menu(caller)
    await call.hear(TONES["music"])
    call.reset_gaps()

    for _ in range(times):
        taken, gap = await _kill_among(line.stage, ringing, talking, call, offer)
        figures.note("F5", "kill -9 of the service: ready again", taken, unit="s", limit=5)
        figures.note("F1", "kill -9 in the menu: until it is said again", gap, unit="s", limit=5)
        figures.note("F1", "kill -9 in the menu: silence heard", call.gaps.silence, unit="s", limit=5)
        call.reset_gaps()
    figures.note("F1", "callers lost", float(call.end is not None), limit=0)
    gaps = [each.gaps.silence for pair in talking for each in (pair.offer, pair.back)]
    figures.note("F6", "kill -9 during talks: silence in the talk", gaps, unit="s", limit=0.5)
    assert (await line.stage.when(caller.number, status="bot", stage="menu"))["subtype"] == "inbound"
    for each in ringing:
        each.back.answer()
    await asyncio.gather(*(_ends_well(line, each) for each in (*ringing, *talking)))
    alone = await line.stage.sql.fetchval(_ALONE, [each.id for each in (*ringing, *talking)])
    figures.note("F5", "customers who answered and had no agent", alone, limit=0)
    figures.note("F5", "INVITEs per accept", [len(each.customer.invites) for each in ringing], limit=1)

    await call.dtmf("2")
    await call.hear(TONES["confirm-number"])
    await call.hangup()
    await line.stage.when(caller.number, status="open", subtype="callback")
    offer.answer()
    back = await late.incoming()
    back.answer()
    await agent.not_ready()  # or the caller of the menu, a callback by now, would be next
    await _ends_well(line, Talk(agent, late, offer, back, late_id))


async def _kill_among(
    stage: Stage, ringing: list[Talk], talking: list[Talk], call: OutgoingCall, offer: IncomingCall
) -> tuple[float, float]:
    """What goes on goes on; the menu, of which nobody knows how much was heard, is said once more."""
    await stands_by(stage)
    began = time.monotonic()
    taken = await kill(stage)
    gap = await call.hear(TONES["menu-offer"], 20, since=began + 0.25) - began  # not the one that was just being said
    await asyncio.gather(*(hear_each_other(each.offer, each.back) for each in talking))
    for each in ringing:
        assert each.back.end is None and each.offer.end is None
    for each in (*ringing, *talking):
        assert len(each.customer.invites) == len(each.agent.phone.invites) == 1
    assert offer.end is None
    return taken, gap


async def test_f5_phones_that_have_said_nothing_yet_are_not_called_again_and_may_still_answer(line: Line) -> None:
    """A customer's, and that of an agent who is offered something: a second dial would end their calls."""
    await line.settings(offer={"accept_timeout": 120, "answer_timeout": 120}, dial={"ring_timeout": 120})
    agent, other = await asyncio.gather(line.agent(), line.agent(policy=policy.manual()))
    customer, interaction = await customer_with_callback(line, policy.manual())
    await agent.api.post(f"interactions/{interaction}/pickup")
    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    await line.stage.when(customer.number, stage="dialing")
    late, _ = await customer_with_callback(line)
    await other.ready()
    silent = await other.phone.incoming()
    await stands_by(line.stage)
    before = line.stage.log.read_text().count("noted as dialled")
    await kill(line.stage)
    await line.stage.until(lambda: _seen_to(line.stage, before + 2), "both legs are seen to again", 10)
    silent.answer()
    late_back = await late.incoming()
    for each in (back, late_back):
        each.answer()
    await asyncio.gather(hear_each_other(offer, back), hear_each_other(silent, late_back))
    assert len(customer.invites) == len(late.invites) == len(other.phone.invites) == 1


async def _seen_to(stage: Stage, times: int) -> bool:
    return stage.log.read_text().count("noted as dialled") >= times


# Just after an accept


async def test_f4_kills_in_the_thirty_milliseconds_after_an_accept(
    line: Line, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """Half of them accepted on the page while the phone rings, half picked up; each in a queue of its own."""
    kills = len(repeats(4, 30))
    lines = [_own(line, i) for i in range(kills)]
    ends = Counter[str]()
    for first in range(0, kills, 10):  # callers do not wait for ever
        ready = await asyncio.gather(*(_about_to_accept(each) for each in lines[first : first + 10]))
        for i, (agent, customer, interaction) in enumerate(ready, first):
            verb, seconds = "pickup" if i % 2 else "accept", LATEST * i / (kills - 1)
            settled, end = await _killed_after(lines[i], agent, customer, interaction, verb, seconds)
            figures.note("F4", "kill -9 just after an accept: settled", settled, unit="s", limit=10)
            figures.note("F4", "INVITEs per accept", len(customer.invites), limit=1)
            ends[end] += 1
    print(f"\nF4: they ended in {dict(ends)}")


def _own(line: Line, i: int) -> Line:
    return Line(line.stage, f"{line.queue}-{i}", f"9{line.n:03}{i:03}", line.n, people=(i + 1) * 10)


async def _about_to_accept(own: Line) -> tuple[Worker, Phone, str]:
    await own.settings(**steps(menu(timeout=20)), offer={"exclude": 60, "accept_timeout": 8, "answer_timeout": 4})
    agent = await own.agent(policy=policy.ring())
    customer, interaction = await customer_with_callback(own, policy.answer(after=0.2))
    return agent, customer, interaction


async def _killed_after(
    own: Line, agent: Worker, customer: Phone, interaction: str, verb: str, seconds: float
) -> tuple[float, str]:
    """How long it took until nothing hung any more, and where the interaction ended."""
    if verb == "accept":
        await agent.ready()
        await (await agent.phone.incoming()).ringing()
        await own.stage.when(customer.number, status="offered")
    await stands_by(own.stage)
    asking = asyncio.create_task(_ask(agent, f"interactions/{interaction}/{verb}"))
    lifting = asyncio.create_task(_lift(agent))
    await asyncio.sleep(seconds)
    began = time.monotonic()
    await kill(own.stage)
    answered = await asking
    it = await _settled(own, customer)
    took = time.monotonic() - began
    lifting.cancel()
    await asyncio.wait([lifting])
    assert len(customer.invites) <= 1 and len(it["attempts"]) <= 1, f"{seconds * 1000:.1f} ms after {verb}: {it}"
    if it["stage"] == "talking":
        await hear_each_other(agent.phone.calls[-1], customer.calls[-1])
    else:
        assert it["status"] == "open" or answered or verb == "accept"
        await asyncio.gather(*(each.ended() for each in (*customer.calls, *agent.phone.calls)))
    return took, f"{it['status']}/{it['stage']}/{len(customer.invites)} INVITE"


async def _ask(agent: Worker, url: str) -> bool:
    """Whether the service said yes before it died."""
    try:
        await agent.api.post(url)
    except aiohttp.ClientError:
        return False
    return True


async def _lift(agent: Worker) -> None:
    """Answers every call of its phone a moment after it began to ring."""
    answered = 0
    while True:
        await agent.phone.called(answered + 1, 60)
        await asyncio.sleep(0.3)
        with contextlib.suppress(CallFailed):
            agent.phone.calls[answered].answer()
        answered += 1


async def _settled(own: Line, customer: Phone) -> dict[str, Any]:
    """Within 10 s nothing hangs: they talk, or the agent may redial, or it waits in line again."""
    found: dict[str, Any] = {}

    async def settled() -> bool:
        found.update(await own.stage.interaction(customer.number))
        return found["stage"] in ("talking", "ready_to_call") or found["status"] == "open"

    await own.stage.until(settled, f"{customer.number} is settled", 10, found)
    return found


# The service hangs, Asterisk dies


async def test_f7_a_service_that_hangs_is_replaced_by_its_parent(
    line: Line, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    pair = await talk(line)
    caller = line.caller()
    call = await line.in_menu(caller)
    for _ in repeats(1, 5):
        await stands_by(line.stage)
        hung = line.stage.pid("service")
        call.reset_gaps()
        began = time.monotonic()
        os.kill(hung, signal.SIGSTOP)
        async with asyncio.timeout(20):
            while line.stage.pid("service") == hung or not await line.stage.ready():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        figures.note("F7", "hung under `up`: replaced and ready", time.monotonic() - began, unit="s", limit=8)
        figures.note("F7", "hung under `up`: silence in the menu", call.gaps.silence, unit="s", limit=5)
    await hear_each_other(pair.offer, pair.back)
    await call.hangup()
    await pair.back.hangup()


async def test_f9_asterisk_is_started_again_by_its_parent_and_the_talk_can_be_had_again(
    line: Line, figures: Figures
) -> None:
    cut_off = await talk(line)
    figures.note("F9", "killed under `up`: ready again", await kill(line.stage, "asterisk"), unit="s", limit=5)
    for each in (cut_off.offer, cut_off.back):
        each.drop()
    await line.stage.when(cut_off.customer.number, status="connected", stage="ready_to_call")
    await line.stage.until(lambda: _reachable(line, cut_off.agent), "the phone is reachable again")
    await cut_off.agent.api.post(f"interactions/{cut_off.id}/redial")
    again = await cut_off.agent.phone.incoming()
    again.answer()
    back = await cut_off.customer.incoming()
    back.answer()
    await hear_each_other(again, back)
    await back.hangup()


async def _reachable(line: Line, agent: Worker) -> bool:
    return bool((await agent.state())["phone"] == "reachable")
