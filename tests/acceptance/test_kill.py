"""kill -9 of the service and of Asterisk, at every point of the path: nobody is lost, nobody is called twice.

On a stage of their own. Seconds until it was ready again are printed (`pytest -s`).
"""

import asyncio
import contextlib
import statistics
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from demo.sip import policy
from demo.sip.carrier import Phone
from demo.sip.errors import CallFailed, RegistrationFailed
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from demo.stage import Stage, Worker, open_stage
from routing.local import prompts
from routing.local.prompts import TONES
from tests.acceptance.conftest import Line
from tests.acceptance.desk import (
    Talk,
    callbacks,
    customer_with_callback,
    feed_of,
    hear_each_other,
    kill,
    offered,
    stands_by,
    talk,
)
from tests.acceptance.story import menu, steps

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(150)]

KILLS = 20
PAIRS = 3
"""Customers and agents who ring, and as many who talk, during each kill."""
LATEST = 0.030
"""Seconds after an accept within which the service is killed."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="rb-kill-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # noqa: ASYNC240  # once, before anything runs
        async with open_stage(home / "data", sounds=prompts.tones(home / "tones")) as stage:
            yield stage


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


async def test_twenty_kills_while_customers_ring_talk_choose_in_the_menu_and_agents_are_offered(line: Line) -> None:
    """Each kill is one for every one of them."""
    await line.settings(**steps(menu(timeout=60)), offer={"accept_timeout": 120}, dial={"ring_timeout": 120})
    agent = await line.agent()
    late, late_id, offer = await offered(line, agent)
    ringing = await asyncio.gather(*(_pair(line) for _ in range(PAIRS)))
    talking = await asyncio.gather(*(_pair(line) for _ in range(PAIRS)))
    await asyncio.gather(*(_begins_to_talk(line, each) for each in talking))
    caller = line.caller()
    call = await line.in_menu(caller)
    await call.hear(TONES["music"])

    taken = [await _kill_among(line.stage, ringing, talking, call, offer) for _ in range(KILLS)]
    _print("among them all", taken)
    gaps = [each.gaps.silence for pair in talking for each in (pair.offer, pair.back)]
    assert max(gaps) < 0.5, "the talk went on all the while"
    assert (await line.stage.when(caller.number, status="bot", stage="menu"))["subtype"] == "inbound"
    for each in ringing:
        each.back.answer()
    await asyncio.gather(*(_ends_well(line, each) for each in (*ringing, *talking)))

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
) -> float:
    """What goes on goes on; the menu, of which nobody knows how much was heard, is said once more."""
    asked = asyncio.create_task(call.hear(TONES["menu-offer"], 20))
    await stands_by(stage)
    taken = await kill(stage)
    await asked
    await asyncio.gather(*(hear_each_other(each.offer, each.back) for each in talking))
    for each in ringing:
        assert each.back.end is None and each.offer.end is None
    for each in (*ringing, *talking):
        assert len(each.customer.invites) == len(each.agent.phone.invites) == 1
    assert offer.end is None
    return taken


# Just after an accept


async def test_twenty_kills_in_the_thirty_milliseconds_after_an_accept(line: Line) -> None:
    """Half of them accepted on the page while the phone rings, half picked up; each in a queue of its own."""
    lines = [_own(line, i) for i in range(KILLS)]
    ready = await asyncio.gather(*(_about_to_accept(each) for each in lines))
    taken, ends = [], Counter[str]()
    for i, (own, (agent, customer, interaction)) in enumerate(zip(lines, ready, strict=True)):
        took, end = await _killed_after(
            own, agent, customer, interaction, "pickup" if i % 2 else "accept", LATEST * i / (KILLS - 1)
        )
        taken.append(took)
        ends[end] += 1
    _print("just after the accept", taken)
    print(f"  they ended in {dict(ends)}")


def _own(line: Line, i: int) -> Line:
    return Line(line.stage, f"{line.queue}-{i}", f"9{line.n:03}{i:02}", line.n, people=(i + 1) * 10)


async def _about_to_accept(own: Line) -> tuple[Worker, Phone, str]:
    await own.settings(**steps(menu(timeout=20)), offer={"exclude": 60, "accept_timeout": 8, "answer_timeout": 4})
    agent = await own.agent(policy=policy.ring())
    customer, interaction = await customer_with_callback(own, policy.answer(after=0.2))
    return agent, customer, interaction


async def _killed_after(
    own: Line, agent: Worker, customer: Phone, interaction: str, verb: str, seconds: float
) -> tuple[float, str]:
    """How long it took until it was ready again, and where the interaction ended."""
    if verb == "accept":
        await agent.ready()
        await (await agent.phone.incoming()).ringing()
        await own.stage.when(customer.number, status="offered")
    await stands_by(own.stage)
    asking = asyncio.create_task(_ask(agent, f"interactions/{interaction}/{verb}"))
    lifting = asyncio.create_task(_lift(agent))
    await asyncio.sleep(seconds)
    took = await kill(own.stage)
    answered = await asking
    it = await _settled(own, customer)
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


# Asterisk


async def test_after_asterisk_was_killed_phones_are_let_in_again_and_callbacks_go_on(line: Line) -> None:
    await line.settings(dial={"ready_to_call": 60})
    cut_off, agent = await talk(line), await line.agent()
    waiting = line.caller()
    (interaction,) = await callbacks(line, waiting)
    live = line.caller()
    call = await line.in_menu(live)
    await call.dtmf("1")
    await line.stage.when(live.number, status="open", subtype="inbound")

    print(f"Asterisk: ready again after {await kill(line.stage, 'asterisk'):.2f} s")
    for each in (cut_off.offer, cut_off.back, call):
        each.drop()
    ended = await line.stage.when(cut_off.customer.number, status="connected", stage="ready_to_call")
    assert [each["outcome"] for each in ended["attempts"]] == ["answered"]
    await line.stage.when(live.number, status="closed")
    assert (await line.stage.interaction(waiting.number))["status"] == "open"

    await asyncio.gather(_registers_again(line, agent), _registers_again(line, cut_off.agent))
    await agent.ready()
    offer = await agent.phone.incoming()
    assert offer.from_user == waiting.number
    offer.answer()
    back = await waiting.incoming()
    back.answer()
    await _ends_well(line, Talk(agent, waiting, offer, back, interaction))

    await cut_off.agent.api.post(f"interactions/{cut_off.id}/redial")
    again = await cut_off.agent.phone.incoming()
    again.answer()
    back = await cut_off.customer.incoming()
    back.answer()
    await hear_each_other(again, back)
    await back.hangup()


async def _registers_again(line: Line, agent: Worker) -> None:
    """Refused until its account is there again. Then Asterisk, which has kept the contact, asks the phone within
    ten seconds how it is."""

    async def let_in() -> bool:
        with contextlib.suppress(RegistrationFailed):
            await agent.phone.register()
        return agent.phone.registered

    await line.stage.until(let_in, f"{agent.id}'s phone is let in again", 5)
    await line.stage.until(lambda: _reachable(line, agent), f"{agent.id}'s phone is reachable again", 15)


async def _reachable(line: Line, agent: Worker) -> bool:
    return bool((await line.stage.api.get(f"agents/{agent.id}"))["phone"] == "reachable")


def _print(what: str, seconds: list[float]) -> None:
    print(f"{what}: {len(seconds)} kills, ready again after {statistics.median(seconds):.2f} s, {max(seconds):.2f} s")
