"""Asterisk kept running, with the configuration of the old version and every call; the database was migrated, and the
new version goes on with everybody."""

import asyncio
from importlib.resources import files

import pytest

from demo.sip.call import Ending
from routing.core.interaction import Stage, Status
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import AGENT, CUSTOMER, refused
from tests.upgrade.conftest import BLOCKED, WITH_AN_AGENT, Upgraded, story
from tests.upgrade.party import Party

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _are_joined(party: Party, tries: int) -> None:
    """Both hear each other, and the customer was called so often."""
    assert party.agent and party.offer
    await asyncio.gather(party.offer.hear(CUSTOMER, 10), party.far.hear(AGENT, 10))
    await party.becomes(status="connected", stage="talking", assigned_to=party.agent.id)
    assert len(party.customer.invites) == (tries if party.back else 0)


async def _end_well(party: Party, tries: int = 1) -> None:
    """As if nothing had been: the customer hangs up, the agent is done."""
    assert party.agent and party.offer
    await _are_joined(party, tries)
    await party.far.hangup()
    await party.offer.ended()
    if party.back:
        await party.becomes(status="connected", stage="ready_to_call")
        await party.asks("done")
    await party.becomes(status="wrap_up")
    closed = await party.asks("done", {"note": "all is well"})
    assert (closed["status"], closed["outcome"]) == ("closed", "handled")


async def test_there_was_somebody_at_every_stage_and_a_callback_in_every_status(upgraded: Upgraded) -> None:
    assert {status for status, _ in upgraded.rows.values()} == set(Status)
    assert {stage for _, stage in upgraded.rows.values() if stage} == set(Stage)


async def test_every_migration_since_then_is_applied_and_only_once(upgraded: Upgraded) -> None:
    scripts = [each.name for each in (files("routing.store") / "migrations").iterdir() if each.name.endswith(".sql")]
    _, *since = sorted(scripts)
    assert len(since) >= 4
    assert upgraded.migrated == [f"applied: {', '.join(since)}", "the schema is up to date"]


async def test_nobody_was_dropped_and_the_talks_went_on(upgraded: Upgraded) -> None:
    assert sum(len(each.calls) for each in upgraded.people.values()) > 20
    assert upgraded.after.dropped == []
    assert max(upgraded.after.silence) < 1.0


async def test_agents_have_the_work_they_had_and_can_take_nothing_else(upgraded: Upgraded) -> None:
    shown = ("state", "reason", "interaction", "since", "queues")
    for agent, now in upgraded.after.agents.items():
        assert [now[key] for key in shown] == [upgraded.before.agents[agent][key] for key in shown], agent
    assert {each["state"] for each in upgraded.after.agents.values()} >= {"offered", "busy", "wrap_up"}
    at_work = [each for each in upgraded.people.values() if each.status in WITH_AN_AGENT]
    assert upgraded.after.refused == [(409, "agent_busy")] * len(at_work)


async def test_what_was_told_is_there_word_for_word(upgraded: Upgraded) -> None:
    kept = ("status", "subtype", "kind", "number", "outcome", "disposition", "attempts", "case_data", "instructions")
    for name, (was, feed) in upgraded.before.stories.items():
        it, now = await story(upgraded.people[name])
        assert now[: len(feed)] == feed, name
        if was["status"] == "closed":
            assert [it[key] for key in kept] == [was[key] for key in kept]
            assert now == feed


async def test_talks_go_on_and_end_as_ever(upgraded: Upgraded) -> None:
    await asyncio.gather(*(_end_well(upgraded.people[name]) for name in ("talks", "caller_talks")))


async def test_whose_phone_rings_may_answer(upgraded: Upgraded) -> None:
    """A customer, while the agent waits; one whose phone said nothing yet; and one who waits for the agent."""
    ringing, dialled, answered = (upgraded.people[name] for name in ("rings", "is_dialled", "answered_first"))
    for party in (ringing, dialled):
        assert party.back
        party.back.answer()
    assert answered.offer
    answered.offer.answer()
    await asyncio.gather(*(_end_well(each) for each in (ringing, dialled, answered)))


async def test_an_agent_who_is_to_answer_first_does_and_the_customer_is_dialled_then(upgraded: Upgraded) -> None:
    party = upgraded.people["is_not_dialled_yet"]
    assert party.offer and party.customer.invites == []
    party.offer.answer()
    await _is_called_back(party)


async def _is_called_back(party: Party, tries: int = 1) -> None:
    party.back = await party.customer.incoming(10)
    party.back.answer()
    await _end_well(party, tries)


async def test_offers_are_accepted(upgraded: Upgraded) -> None:
    """By the phone, also by one that had said nothing yet, and over the API."""
    names = ("caller_is_offered", "is_offered_in_silence", "is_offered")
    caller, silent, callback = (upgraded.people[name] for name in names)
    assert caller.offer and callback.offer and silent.offer
    caller.offer.answer()
    silent.offer.answer()
    await callback.asks("accept")
    callback.offer.answer()
    await asyncio.gather(_end_well(caller), _is_called_back(silent), _is_called_back(callback))


async def test_who_waits_gets_the_agent_who_becomes_ready(upgraded: Upgraded) -> None:
    party = upgraded.people["waits"]
    assert party.agent and party.call
    await party.call.hear(TONES["music"])
    await party.agent.ready()
    party.offer = await party.agent.phone.incoming()
    party.offer.answer()
    await _end_well(party)


async def test_who_heard_an_announcement_waits_on(upgraded: Upgraded) -> None:
    party = upgraded.people["announcing"]
    await party.far.hear(TONES["music"])
    await party.becomes(status="open", stage=None, subtype="inbound")


async def test_who_was_asked_something_is_asked_again_and_called_back(upgraded: Upgraded) -> None:
    await asyncio.gather(*upgraded.asked_again.values())
    menu, confirm, entry = (upgraded.people[name] for name in ("in_menu", "confirms", "enters_number"))
    await asyncio.gather(_presses_2(menu), _confirms(confirm), _enters_a_number(entry))
    for party in (menu, confirm, entry):
        await party.becomes(status="open", subtype="callback")


async def _presses_2(party: Party) -> None:
    await party.far.dtmf("2")
    await party.far.hear(TONES["confirm-number"])
    await party.far.hangup()


async def _confirms(party: Party) -> None:
    await party.far.hear(TONES["music"], 10)
    await party.far.dtmf("1")
    await party.far.hear(TONES["booked"])
    assert (await party.far.ended()).how is Ending.BYE_RECEIVED


async def _enters_a_number(party: Party) -> None:
    await party.far.dtmf(f"0{party.customer.number.removeprefix('+49')}#")
    await party.far.hear(TONES["confirm-number"])
    await party.far.hangup()


async def test_last_words_are_said_and_the_call_ends(upgraded: Upgraded) -> None:
    promised, sent_away, apologised = (
        upgraded.people[name] for name in ("is_promised", "is_sent_away", "hears_apology")
    )
    for party in (promised, sent_away, apologised):
        assert (await party.far.ended()).how is Ending.BYE_RECEIVED
    await promised.becomes(status="open", subtype="callback")
    await sent_away.becomes(status="closed", outcome="overflow:hangup")
    await apologised.becomes(status="open", subtype="callback", position=1)


async def test_who_was_talked_to_is_redialled_and_wrap_up_is_ended(upgraded: Upgraded) -> None:
    redialled, written_up = upgraded.people["may_be_redialled"], upgraded.people["is_written_up"]
    closed = await written_up.asks("done", {"note": "all is well"})
    assert (closed["status"], closed["outcome"]) == ("closed", "handled")
    await redialled.asks("redial")
    assert redialled.agent
    redialled.offer = await redialled.agent.phone.incoming()
    redialled.back = await redialled.customer.incoming()
    redialled.back.answer()
    redialled.offer.answer()
    await asyncio.gather(redialled.offer.hear(CUSTOMER, 10), redialled.back.hear(AGENT, 10))
    assert len(redialled.customer.invites) == len((await redialled.becomes(stage="talking"))["attempts"]) == 2


async def test_new_callers_are_let_in_as_the_old_dialplan_tells_of_them(upgraded: Upgraded) -> None:
    line = upgraded.people["in_menu"].line
    known, withheld = line.caller(), line.caller()
    calls = [await line.in_menu(known), await line.in_menu(withheld, anonymous=True)]
    assert (await line.stage.when(known.number, status="bot", stage="menu"))["dialled_number"] == line.dnis
    await asyncio.gather(*(each.hangup() for each in calls))


async def test_passwords_and_the_list_of_numbers_not_to_call_are_as_they_were(upgraded: Upgraded) -> None:
    agent = upgraded.people["waits"].agent
    assert agent
    await agent.phone.register()
    login = {"user": agent.id, "password": f"login-{agent.id}-secret"}
    assert (await upgraded.stage.api.post("login", login))["role"] == "agent"
    body = {"queue": upgraded.people["held"].line.queue, "number": BLOCKED}
    assert await refused(upgraded.stage.api.post("callbacks", body)) == (422, "number_blocked")


async def test_callbacks_are_made_once_those_that_were_open_and_those_that_fall_due(upgraded: Upgraded) -> None:
    """Tomorrow's and the held one are not among them."""
    names = ("to_be_called", "asked_for", "due_soon", "was_busy")
    waiting = {upgraded.people[name].customer.number: upgraded.people[name] for name in names}
    agent = upgraded.people["to_be_called"].agent
    assert agent
    await agent.ready()
    while waiting:
        offer = await agent.phone.incoming(40)
        party = waiting.pop(offer.from_user)
        party.agent, party.offer = agent, offer
        offer.answer()
        await _is_called_back(party, tries=2 if party is upgraded.people["was_busy"] else 1)
    await agent.not_ready()
    tomorrow = upgraded.people["due_tomorrow"]
    was, _ = upgraded.before.stories["due_tomorrow"]
    assert (await tomorrow.becomes(status="scheduled"))["due_at"] == was["due_at"]
    assert tomorrow.customer.invites == upgraded.people["held"].customer.invites == []


async def test_no_line_is_taken_for_dead_as_the_old_asterisk_does_not_tell_of_rtcp(upgraded: Upgraded) -> None:
    async def looked() -> bool:
        return "dead lines not noticed" in upgraded.stage.log.read_text()

    await upgraded.stage.until(looked, "a look at the lines", 10)
