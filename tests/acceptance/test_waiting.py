"""A caller who waits: music, steps on time, the menu, a free agent."""

import pytest

from demo.sip.call import Ending
from demo.sip.errors import SipTimeout
from demo.stage import Worker
from routing.local.asterisk.prompts import TONES
from tests.calls.line import Line
from tests.calls.story import is_promised, is_told, menu, moment, moments, statuses, steps, told

pytestmark = pytest.mark.asyncio(loop_scope="session")

MENU, MUSIC, INVALID, THANKS = TONES["menu-offer"], TONES["music"], TONES["invalid"], TONES["thank-you"]
AGENT, CALLER = 350, 450
"""What the two sides sound like."""


async def test_a_caller_is_in_the_line_within_a_second_and_hears_music_before_anything_else(line: Line) -> None:
    """The menu comes later than the second in which it is looked for."""
    await line.settings(**steps(menu(after=1.5)))
    caller = line.caller()
    call = await caller.call(line.dnis)
    it = await line.stage.when(caller.number, within=1.0, status="open", subtype="inbound", stage=None)
    assert (it["queue"], it["dialled_number"], it["position"]) == (line.queue, line.dnis, 1)
    assert it["queued_at"] == it["entered_at"] and not it["attempts"]
    assert not await is_promised(line, it["id"])
    await call.answered()
    assert (await call.hear_any({MUSIC, MENU}, 2)).frequency == MUSIC
    assert call.answered_at is not None and call.answered_at - call.invited_at < 1.0
    await call.hear(MENU)
    await call.hangup()


async def test_a_number_nobody_answers_is_refused_with_404(line: Line) -> None:
    call = await line.caller().call("7999")
    assert await call.final() == 404
    assert call.answered_at is None


@pytest.mark.quick
@pytest.mark.parametrize("ends", ["caller", "agent"])
async def test_who_keeps_waiting_talks_with_the_agent_who_answers(line: Line, ends: str) -> None:
    await line.settings(**steps(menu(timeout=3)))
    agent, caller = await line.agent(), line.caller()
    call = await line.in_menu(caller)
    await call.dtmf("1")
    waiting = await line.stage.when(caller.number, status="open", subtype="inbound")
    await agent.ready()
    offer = await agent.phone.incoming()
    assert offer.from_user == caller.number
    offer.answer()
    await offer.hear(CALLER)
    await call.hear(AGENT)
    talking = await line.stage.when(caller.number, status="connected", stage="talking", assigned_to=agent.id)
    assert talking["id"] == waiting["id"] and talking["subtype"] == "inbound"
    assert (await agent.state())["state"] == "busy"

    first, other = (call, offer) if ends == "caller" else (offer, call)
    await first.hangup()
    assert (await other.ended()).how is Ending.BYE_RECEIVED
    await line.stage.when(caller.number, status="wrap_up")
    closed = await line.stage.when(caller.number, status="closed", outcome="handled")
    assert closed["id"] == waiting["id"] and not caller.invites, "an inbound call is never called back"
    await line.stage.until(lambda: _is(agent, "ready"), "the agent is ready again")
    feed = await told(line, closed["id"])
    (ended,) = [each["data"]["by"] for each in feed if each["event"] == "call_ended"]
    assert ended == ("agent" if ends == "agent" else "customer")


async def _is(agent: Worker, state: str) -> bool:
    return bool((await agent.state())["state"] == state)


@pytest.mark.quick
async def test_key_1_goes_back_to_waiting_at_the_same_place(line: Line) -> None:
    await line.settings(**steps(menu(timeout=3)))
    before, caller = line.caller(), line.caller()
    earlier, call = await line.call(before), await line.call(caller)
    at_first = await line.stage.interaction(caller.number)
    assert at_first["position"] == 2
    await call.hear(MENU)
    assert (await line.stage.interaction(caller.number))["status"] == "bot"
    await call.dtmf("1")
    await call.hear(MUSIC)
    it = await line.stage.when(caller.number, status="open", subtype="inbound", position=2)
    assert it["queued_at"] == at_first["queued_at"]
    assert statuses(await told(line, it["id"])) == ["open", "bot", "open"]
    await earlier.hangup()
    await line.stage.when(caller.number, position=1)
    await call.hangup()


async def test_three_wrong_keys_lead_back_to_waiting_at_the_same_place(line: Line) -> None:
    await line.settings(**steps(menu(timeout=3)))
    before, caller = line.caller(), line.caller()
    earlier, call = await line.call(before), await line.call(caller)
    at_first = await line.stage.interaction(caller.number)
    await call.hear(MENU)
    for _ in range(2):
        await call.dtmf("7")
        await call.hear(INVALID)
        await call.hear(MENU)
    await call.dtmf("7")
    await call.hear(MUSIC)
    it = await line.stage.when(caller.number, status="open", stage=None)
    assert (it["queued_at"], it["position"], it["id"]) == (at_first["queued_at"], 2, at_first["id"])
    assert statuses(await told(line, it["id"])) == ["open", "bot", "open"]
    assert call.end is None
    await earlier.hangup()
    await call.hangup()


async def test_who_says_nothing_three_times_goes_on_waiting_at_the_same_place(line: Line) -> None:
    await line.settings(**steps(menu()))
    caller = line.caller()
    call = await line.call(caller)
    at_first = await line.stage.interaction(caller.number)
    for _ in range(3):
        await call.hear(MENU)
        await call.hear(MUSIC)
    it = await line.stage.when(caller.number, status="open", stage=None)
    assert (it["queued_at"], it["position"]) == (at_first["queued_at"], at_first["position"])
    feed = await told(line, it["id"])
    (asked,), (gone_on,) = moments(feed, "menu_started"), moments(feed, "kept_waiting")
    assert gone_on - asked == pytest.approx(3 * (0.3 + 0.6), abs=0.5)
    await call.hangup()


async def test_each_queue_has_keys_of_its_own_and_one_of_them_may_say_goodbye(line: Line) -> None:
    keys = {"5": "callback", "8": "wait", "9": {"hangup": {"say": "goodbye"}}}
    await line.settings(**steps(menu(keys=keys, timeout=3)))
    leaving, asking = line.caller(), line.caller()
    call, other = await line.in_menu(leaving), await line.in_menu(asking)
    await other.dtmf("2")
    await other.hear(INVALID)
    await other.dtmf("5")
    await other.hear(TONES["confirm-number"], 5)
    await other.hangup()
    assert (await line.stage.when(asking.number, status="open", subtype="callback"))["queue"] == line.queue
    await call.dtmf("9")
    await call.hear(TONES["goodbye"], 5)
    assert (await call.ended()).how is Ending.BYE_RECEIVED
    await line.stage.when(leaving.number, status="closed", outcome="overflow:hangup")


async def test_a_key_cuts_the_menu_short(line: Line) -> None:
    await line.settings(**steps(menu(0.2, timeout=5), loop=True))
    caller = line.caller()
    call = await line.call(caller)
    lasted = []
    for _ in range(3):  # the best of three, as the machine may be busy
        began = await call.hear(MENU)
        await call.dtmf("1", gap=0.02)
        lasted.append(await call.hear(MUSIC) - began)
    assert min(lasted) < 0.25, f"the prompt of 0.3 s was played to its end: {lasted}"
    await call.hangup()


async def test_the_place_in_line_is_announced(line: Line) -> None:
    await line.settings(**steps({"after": 0.3, "announce": ["position", "wait"]}))
    first, second = await line.call(line.caller()), await line.call(line.caller())
    await first.hear(TONES["position-first"])
    await second.hear(TONES["position-before"], since=first.answered_at)
    await second.hear(TONES["digits:2"])
    await second.hear(TONES["position-after"])
    await second.hear(MUSIC)
    await first.hangup()
    await second.hangup()


async def test_steps_come_on_time_each_counted_from_the_end_of_the_one_before_and_again(line: Line) -> None:
    await line.settings(
        **steps({"after": 0.8, "announce": ["thank-you"]}, menu(1.2, timeout=30), loop=True),
    )
    caller = line.caller()
    call = await line.call(caller)
    await call.hear(THANKS)
    await call.hear(MENU)
    await call.dtmf("1")
    await call.hear(THANKS)
    await call.hear(MENU)
    it = await line.stage.interaction(caller.number)
    await call.hangup()
    feed = await told(line, it["id"])
    assert [each["status"] for each in feed if each["event"] == "announced"] == ["open", "open"]
    (entered,), announced = moments(feed, "entered"), moments(feed, "announced")
    asked, kept = moments(feed, "menu_started"), moments(feed, "kept_waiting")
    length = 0.3
    assert announced[0] - entered == pytest.approx(0.8, abs=0.5)
    assert asked[0] - (announced[0] + length) == pytest.approx(1.2, abs=0.5)
    assert announced[1] - kept[0] == pytest.approx(0.8, abs=0.5)
    assert asked[1] - (announced[1] + length) == pytest.approx(1.2, abs=0.5)


async def test_who_is_in_the_menu_is_not_offered_to_a_ready_agent(line: Line) -> None:
    await line.settings(**steps(menu(tries=2, timeout=0.8)))
    agent, caller = await line.agent(), line.caller()
    call = await line.in_menu(caller)
    await agent.ready()
    await call.hear(MUSIC)
    await call.hear(MENU)
    assert not agent.phone.invites
    await call.dtmf("1")
    offer = await agent.phone.incoming(within=2)
    it = await line.stage.interaction(caller.number)
    events = [each["event"] for each in await told(line, it["id"])]
    assert events.index("kept_waiting") < events.index("offered")
    offer.answer()
    await call.hear(AGENT)
    await call.hangup()


async def test_a_free_agent_interrupts_an_announcement(line: Line) -> None:
    await line.settings(**steps({"after": 0.2, "announce": ["thank-you"] * 15}))
    agent, caller = await line.agent(), line.caller()
    call = await line.call(caller)
    await call.hear(THANKS)
    await agent.ready()
    offer = await agent.phone.incoming(within=1)
    it = await line.stage.interaction(caller.number)
    assert (it["status"], it["stage"]) == ("offered", "announcing")
    offer.answer()
    answered = await offer.answered()
    assert await call.hear(AGENT) - answered < 1
    with pytest.raises(SipTimeout):
        await call.hear(THANKS, 0.4)
    await call.hangup()


async def test_no_step_starts_while_an_agent_is_offered_the_call_and_it_runs_right_after(line: Line) -> None:
    await line.settings(**steps(menu(0.5)), offer={"accept_timeout": 1.5})
    agent, caller = await line.agent(), line.caller()
    await agent.ready()
    call = await line.call(caller)
    await agent.phone.incoming()
    await line.stage.when(caller.number, status="offered")
    await call.hear(MENU)
    it = await line.stage.interaction(caller.number)
    feed = await told(line, it["id"])
    events = [each["event"] for each in feed]
    assert events.index("rona") < events.index("menu_started")
    (offered,), (reopened,), (asked,) = (moments(feed, each) for each in ("offered", "reopened", "menu_started"))
    assert reopened - offered == pytest.approx(1.5, abs=0.3), "the offer lasted"
    assert moment(feed[0]) + 0.5 < reopened, "the step was due meanwhile"
    assert asked - reopened < 0.3
    assert statuses(feed) == ["open", "offered", "open", "bot"]
    await call.hangup()


async def test_a_change_of_the_queue_does_not_move_those_who_wait(line: Line) -> None:
    await line.settings(**steps(menu(1.0, timeout=3)))
    earlier, later = line.caller(), line.caller()
    before = await line.call(earlier)
    await line.settings(**steps({"after": 0.2, "announce": ["thank-you"]}))
    after = await line.call(later)
    await after.hear(THANKS)
    assert (await before.hear_any({THANKS, MENU})).frequency == MENU
    await before.dtmf("2")
    await before.hear(TONES["confirm-number"])
    await before.hangup()
    it = await line.stage.when(earlier.number, status="open", subtype="callback")
    await is_told(line, it["id"], "converted")
    await after.hangup()


async def test_there_is_no_dead_air_in_a_whole_visit(line: Line) -> None:
    """Music, announcement, menu, a wrong key, read-back, a number half entered, withdrawal, and the promise."""
    await line.settings(
        **steps({"after": 0.3, "announce": ["position"]}, menu(0.3, timeout=5), loop=True),
        callback={"alternate_number": True},
    )
    caller = line.caller()
    call = await line.call(caller)
    call.reset_gaps()
    await call.hear(MENU)
    await call.dtmf("9")
    await call.hear(INVALID)
    await call.hear(MENU)
    await call.dtmf("2")
    await call.hear(TONES["confirm-keys-other"], 8)
    await call.hear(MUSIC)
    await call.dtmf("2")
    await call.hear(TONES["enter-number"])
    await call.dtmf("0")
    assert await call.hear(MUSIC, 1.9), "a caller who pauses between digits hears that somebody is there"
    await call.dtmf("1#")
    await call.hear(TONES["invalid-number"])
    await call.dtmf("*")
    await call.hear(TONES["position-first"])
    await call.hear(MENU)
    await call.dtmf("2")
    await call.hear(TONES["confirm-keys-other"], 8)
    await call.hear(MUSIC)
    await call.dtmf("1")
    await call.ended(5)
    assert call.gaps.silence < 2, call.gaps
