"""Number rules where they count: at the promise, at the offer, and in the statement that begins the dial."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.effects import DialCustomer, PlayPrompt, RingAgent
from routing.core.errors import NumberBlocked, RateLimited, RingbackError
from routing.core.events import (
    CallbackRequested,
    DigitPressed,
    LegAnswered,
    LegGone,
    LegRinging,
    NoteAdded,
    OfferAccepted,
    PromptFinished,
    Redialled,
    WorkDone,
)
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status, Subtype
from routing.core.queues import Queue
from routing.engine import arrivals
from routing.engine import queues as engine_queues
from routing.store import interactions, number_rules, queues
from routing.store.database import Pool, connection
from routing.store.queues import Stored
from routing.store.read import feed

ENTRY = {"alternate_number": True, "initial_delay": 0}


async def settings(service: Service, **those: Any) -> None:
    await service.queue(**{"numbers": ["600"], "workflow": QUICK, **those})


async def pressed_2(service: Service, number: str | None = CUSTOMER) -> Interaction:
    """A caller chose to be called back; what became of that."""
    interaction_id = await service.call_in(number=number)  # type: ignore[arg-type]  # withheld
    changed, it = service.changes(), await service.stored(interaction_id)
    if it.stage is not Stage.MENU:
        it = await changed.until(lambda it: it.id == interaction_id and it.stage is Stage.MENU)
    return await key(service, it, "2")


async def key(service: Service, it: Interaction, digit: str) -> Interaction:
    caller, changed = it.leg(Role.CALLER), service.changes()
    assert caller
    service.engine.hear(caller.id, DigitPressed(caller.id, digit))
    return await changed.until(lambda now: now.id == it.id)


async def hung_up(service: Service, it: Interaction) -> Interaction:
    caller, changed = it.leg(Role.CALLER), service.changes()
    assert caller
    service.engine.hear(caller.id, LegGone(caller.id))
    return await changed.until(lambda now: now.id == it.id and not now.legs)


def said(service: Service) -> tuple[str, ...]:
    """What was said last."""
    return [each.words for each in service.phones.asked if isinstance(each, PlayPrompt)][-1]


def dialled(service: Service) -> int:
    return sum(isinstance(each, DialCustomer) for each in service.phones.asked)


async def rules_told(service: Service, it: UUID) -> list[str]:
    """The rules that refused, out of the feed."""
    lines = await feed.of_interaction(service.engine.pool, it)
    return [line.data["rule"] for line in lines if line.event == "number_refused"]


async def rule_of(asked: Awaitable[Any]) -> str:
    with pytest.raises(NumberBlocked) as refused:
        await asked
    assert refused.value.code == "number_blocked" and str(refused.value)
    return refused.value.rule


async def offered(service: Service, **those: Any) -> Interaction:
    """A callback offered to agent 1001, whose phone rings."""
    await settings(service, **those)
    interaction_id = await service.callback()
    return await offered_to(service, "1001", interaction_id)


async def offered_to(service: Service, agent: str, interaction_id: UUID) -> Interaction:
    changed = service.changes()
    await service.agent(agent, "support")
    await service.ask("PUT", f"agents/{agent}/state", json={"state": "ready"})
    it = await changed.until(lambda it: it.id == interaction_id and it.status is Status.OFFERED)
    leg = it.leg(Role.AGENT)
    assert leg
    service.engine.hear(leg.id, LegRinging(leg.id))
    return await changed.until(lambda now: now.id == it.id and now.leg(Role.AGENT).state == "ringing")


async def elsewhere(service: Service, statement: str, *values: Any) -> None:
    """Done by another process: nobody tells the engine."""
    async with connection(service.engine.pool) as c:
        await c.execute(statement, *values)


FORBID = "INSERT INTO do_not_call (number, added_by) VALUES ($1, 'operator:admin')"


# Before a promise


async def test_a_caller_who_would_not_be_called_is_told_so_and_waits_on(service: Service) -> None:
    await service.queue("sales", numbers=["601", "+4930555100"])
    await settings(service)
    for number, rule in (
        ("+499001123456", "premium_rate"),
        ("+18762101234", "overseas"),
        ("+442071838750", "country"),
        ("+881612345678", "satellite"),
        ("+4930555100", "own_number"),
    ):
        it = await pressed_2(service, number)
        assert (it.status, it.stage, it.subtype) == (Status.OPEN, Stage.ANNOUNCING, Subtype.INBOUND)
        assert it.request.requested_at is None and said(service) == ("cannot-call-back",)
        assert await rules_told(service, it.id) == [rule]
        assert (await hung_up(service, it)).outcome == "short_abandon"


async def test_where_the_queue_allows_it_another_number_may_be_entered(service: Service) -> None:
    await settings(service, callback=ENTRY)
    it = await pressed_2(service, "+499001123456")
    assert (it.stage, said(service)) == (Stage.NUMBER_ENTRY, ("invalid-number", "enter-number"))
    for digit in "09001123456":
        it = await key(service, it, digit)
    it = await key(service, it, "#")
    assert (it.stage, said(service)[0]) == (Stage.NUMBER_ENTRY, "invalid-number"), "a premium number, typed"
    for digit in "015112345678":
        it = await key(service, it, digit)
    assert (await key(service, it, "#")).stage is Stage.CONFIRM
    assert await rules_told(service, it.id) == ["premium_rate"]


async def test_a_typed_number_that_may_not_be_called_leaves_the_callers_own_request_standing(
    service: Service,
) -> None:
    await settings(service, callback=ENTRY, workflow={"steps": [{**QUICK["steps"][0], "tries": 1}], "loop": False})
    other = "+4915112345679"
    await elsewhere(service, FORBID, other)
    it = await pressed_2(service)
    caller, changed = it.leg(Role.CALLER), service.changes()
    assert caller and it.request.requested_at
    it = await said_all(service, it)
    it = await key(service, it, "2")
    for digit in other.replace("+49", "0"):
        it = await key(service, it, digit)
    it = await said_all(service, await key(service, it, "#"))
    service.engine.hear(caller.id, DigitPressed(caller.id, "1"))
    it = await changed.until(lambda now: now.stage is Stage.BOOKED)
    assert it.number == CUSTOMER and await rules_told(service, it.id) == ["do_not_call"]


async def said_all(service: Service, it: Interaction) -> Interaction:
    caller, changed = it.leg(Role.CALLER), service.changes()
    assert caller and it.playing
    service.engine.hear(caller.id, PromptFinished(caller.id, it.playing))
    return await changed.until(lambda now: now.id == it.id)


async def test_a_fourth_request_for_a_number_within_a_day_is_refused(service: Service) -> None:
    for n in range(4):
        await service.queue(f"queue-{n}", numbers=[f"60{n}"], workflow=QUICK)
    for n in range(3):
        await service.callback(f"60{n}")
    it = await service.stored(await service.call_in("603"))
    changed = service.changes()
    if it.stage is not Stage.MENU:
        it = await changed.until(lambda now: now.id == it.id and now.stage is Stage.MENU)
    it = await key(service, it, "2")
    assert await rules_told(service, it.id) == ["requests_per_number"]
    await elsewhere(
        service, "UPDATE interactions SET requested_at = requested_at - interval '1 day', promised_at = now()"
    )
    assert await told_by_check(service, "queue-3") is None


async def told_by_check(service: Service, queue: str, number: str = CUSTOMER) -> str | None:
    answer = await service.ask("POST", "numbers/check", json={"queue": queue, "number": number})
    assert answer.status == 200, answer.body
    rule: str | None = answer.body["rule"]
    return rule


async def test_a_caller_who_types_one_number_after_the_other_is_stopped(service: Service) -> None:
    await settings(service, callback=ENTRY, limits={"requests_per_source": 1})
    for n, stage in enumerate((Stage.BOOKED, Stage.ANNOUNCING)):
        it = await pressed_2(service, None)
        for digit in f"01511234560{n}":
            it = await key(service, it, digit)
        it = await said_all(service, await key(service, it, "#"))
        it = await key(service, it, "1")
        assert it.stage is stage
        await hung_up(service, it)
    assert await rules_told(service, it.id) == ["requests_per_source"]


async def test_foreign_numbers_that_look_alike_are_limited_together(service: Service) -> None:
    await settings(service, numbers_allowed=["+49", "+43"], limits={"requests_per_prefix": 2})
    for n in range(2):
        await service.callback(number=f"+43660123456{n}")
    assert await told_by_check(service, "support", "+436601234569") == "requests_per_prefix"
    assert await told_by_check(service, "support", "+43512123456") is None
    for n in range(3):
        await service.callback(number=f"+49151123456{n}0")


async def test_a_queue_takes_no_more_callbacks_than_it_may_have_pending(service: Service) -> None:
    await settings(service, callback={"max_pending": 2, "initial_delay": 0})
    for n in range(2):
        await service.callback(number=f"+491511234560{n}")
    it = await pressed_2(service, "+4915112345609")
    assert await rules_told(service, it.id) == ["max_pending"]


async def test_a_queue_that_is_deleted_at_that_moment_promises_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settings(service)
    get = queues.get

    async def get_and_delete(pool: Pool, name: str) -> Stored:
        found = await get(pool, name)
        await queues.delete(pool, name)
        return found

    monkeypatch.setattr(arrivals.queues, "get", get_and_delete)
    asked = CallbackRequested("operator:admin", "support", CUSTOMER)
    assert await rule_of(service.engine.request(asked)) == "register"


# Between promise and dial


async def test_a_number_that_got_onto_the_list_after_the_offer_is_not_dialled(service: Service) -> None:
    it = await offered(service)
    await elsewhere(service, FORBID, CUSTOMER)
    changed = service.changes()
    assert await rule_of(service.engine.ask(it.id, OfferAccepted("1001"))) == "do_not_call"
    closed = await changed.until(lambda now: now.id == it.id)
    assert (closed.status, closed.outcome, closed.legs, closed.attempts) == (Status.CLOSED, "blocked", (), ())
    assert dialled(service) == 0
    state = (await service.ask("GET", "agents/1001")).body
    assert (state["state"], state["interaction"]) == ("ready", None), "the agent is free for somebody else"


async def test_of_a_listing_and_an_acceptance_at_the_same_instant_one_comes_first(service: Service) -> None:
    """Never both: a call that goes out although the list was asked, or none although the agent was told yes."""
    await settings(service)
    for n in range(6):
        number, before = f"+4915112345{n}00", dialled(service)
        it = await offered_to(service, f"200{n}", await service.callback(number=number))
        answers = await asyncio.gather(
            service.engine.ask(it.id, OfferAccepted(it.assigned_to or "")),
            elsewhere(service, FORBID, number),
            return_exceptions=True,
        )
        after = await service.stored(it.id)
        if isinstance(answers[0], NumberBlocked):
            assert (after.outcome, dialled(service) - before) == ("blocked", 0)
        else:
            assert (after.stage, dialled(service) - before) == (Stage.DIALING, 1)
        break_ = {"state": "not_ready", "reason": "break"}  # or the next caller would be offered before the menu
        assert (await service.ask("PUT", f"agents/200{n}/state", json=break_)).status == 200


async def test_answering_the_phone_is_no_way_around(service: Service) -> None:
    it = await offered(service)
    agent, changed = it.leg(Role.AGENT), service.changes()
    assert agent
    await elsewhere(service, FORBID, CUSTOMER)
    service.engine.hear(agent.id, LegAnswered(agent.id))
    closed = await changed.until(lambda now: now.id == it.id)
    assert (closed.outcome, dialled(service)) == ("blocked", 0)


async def test_a_number_listed_after_the_acceptance_is_not_dialled_when_the_phone_rings(service: Service) -> None:
    await settings(service)
    interaction_id = await service.callback()
    await service.agent("1001", "support")
    it = await service.engine.agents.pick_up("1001", interaction_id)
    agent, changed = it.leg(Role.AGENT), service.changes()
    assert agent and it.stage is Stage.AGENT_RINGING
    await elsewhere(service, FORBID, CUSTOMER)
    service.engine.hear(agent.id, LegRinging(agent.id))
    closed = await changed.until(lambda now: now.id == it.id)
    assert (closed.outcome, dialled(service)) == ("blocked", 0)


async def test_who_picks_up_a_listed_number_is_told_the_rule(service: Service) -> None:
    await settings(service)
    interaction_id = await service.callback()
    await service.agent("1001", "support")
    await elsewhere(service, FORBID, CUSTOMER)
    answer = await service.ask("POST", f"interactions/{interaction_id}/pickup", "1001")
    assert (answer.status, answer.body["code"], answer.body["rule"]) == (422, "number_blocked", "do_not_call")
    assert "do-not-call" in answer.body["detail"]


async def test_a_listed_number_is_not_even_offered(service: Service) -> None:
    await settings(service)
    interaction_id = await service.callback()
    await elsewhere(service, FORBID, CUSTOMER)
    changed = service.changes()
    await service.agent("1001", "support")
    await service.ask("PUT", "agents/1001/state", json={"state": "ready"})
    closed = await changed.until(lambda it: it.id == interaction_id)
    assert closed.outcome == "blocked" and not any(isinstance(each, RingAgent) for each in service.phones.asked)


async def test_a_prefix_denied_by_another_process_stops_who_waits_already(service: Service) -> None:
    it = await offered(service)
    stored = await queues.get(service.engine.pool, "support")
    denying = Queue.model_validate({**stored.queue.model_dump(), "numbers_denied": ["+49151"]})
    await queues.put(service.engine.pool, denying)
    assert await rule_of(service.engine.ask(it.id, OfferAccepted("1001"))) == "denied"
    assert (await service.stored(it.id)).outcome == "blocked" and dialled(service) == 0


async def test_a_prefix_allowed_by_another_process_is_believed_at_once(service: Service) -> None:
    await settings(service)
    assert await told_by_check(service, "support", "+436601234567") == "country"
    stored = await queues.get(service.engine.pool, "support")
    allowing = Queue.model_validate({**stored.queue.model_dump(), "numbers_allowed": ["+43", "+49"]})
    await queues.put(service.engine.pool, allowing)
    assert await told_by_check(service, "support", "+436601234567") is None


async def test_one_statement_asks_the_rules_and_begins_the_dial(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await offered(service)
    looked: list[str] = []
    for module, name in ((engine_queues.stored, "current"), (number_rules, "ask"), (interactions, "load")):
        monkeypatch.setattr(module, name, lambda *_, name=name: looked.append(name))
    accepted = await service.engine.ask(it.id, OfferAccepted("1001"))
    assert (accepted.stage, looked, dialled(service)) == (Stage.DIALING, [], 1)


async def test_a_number_is_not_dialled_more_often_than_the_limit_and_the_agent_keeps_the_work(
    service: Service,
) -> None:
    it = await offered(service, limits={"dials_per_number": 1})
    it = await service.engine.ask(it.id, OfferAccepted("1001"))
    customer, changed = it.leg(Role.CUSTOMER), service.changes()
    assert customer
    service.engine.hear(customer.id, LegGone(customer.id, 486))
    it = await changed.until(lambda now: now.stage is Stage.READY_TO_CALL)
    assert it.attempts[0].outcome is Outcome.BUSY
    assert await rule_of(service.engine.ask(it.id, Redialled("1001"))) == "dials_per_number"
    assert (await service.stored(it.id)).stage is Stage.READY_TO_CALL and dialled(service) == 1


async def test_who_was_dialled_often_enough_waits_for_the_first_dial_to_be_a_day_old(service: Service) -> None:
    await settings(service, limits={"dials_per_number": 1})
    interaction_id = await service.callback()
    await service.agent("1001", "support")
    await elsewhere(
        service,
        "INSERT INTO attempts (id, interaction, n, agent, started_at, ended_at, outcome)"
        " VALUES (repeat('a', 32), $1, 9, '1001', now() - interval '23 hours', now(), 'busy')",
        interaction_id,
    )
    assert await rule_of(service.engine.agents.pick_up("1001", interaction_id)) == "dials_per_number"
    it = await service.stored(interaction_id)
    assert it.place.not_before and it.status is Status.OPEN
    assert timedelta(minutes=59) < it.place.not_before - service.engine.clock.now() < timedelta(minutes=61)


# The calling window


def closed_now(zone: str = "Europe/Berlin") -> tuple[str, str]:
    """A window of an hour that is not open for the next two."""
    hour = (datetime.now(ZoneInfo(zone)).hour + 3) % 24
    return f"{hour:02}:00", f"{hour:02}:59"


async def test_outside_the_window_a_callback_is_promised_and_held_until_it_opens(service: Service) -> None:
    await settings(service, dial={"window": closed_now()})
    interaction_id = await service.callback()
    it = await service.stored(interaction_id)
    assert it.request.promised_at and it.place.not_before and it.status is Status.OPEN
    assert it.place.not_before.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == closed_now()[0]
    assert it.place.not_before > service.engine.clock.now()
    await service.agent("1001", "support")
    assert await rule_of(service.engine.agents.pick_up("1001", interaction_id)) == "window"
    held = await service.stored(interaction_id)
    assert (held.status, held.place.not_before, dialled(service)) == (Status.OPEN, it.place.not_before, 0)


async def test_a_window_that_closed_while_it_waited_holds_it_at_the_offer(service: Service) -> None:
    await settings(service)
    interaction_id = await service.callback()
    await settings(service, dial={"window": closed_now()})
    changed = service.changes()
    await service.agent("1001", "support")
    await service.ask("PUT", "agents/1001/state", json={"state": "ready"})
    it = await changed.until(lambda it: it.id == interaction_id)
    assert it.status is Status.OPEN and it.place.not_before > service.engine.clock.now()
    assert not any(isinstance(each, RingAgent) for each in service.phones.asked)


async def test_a_window_that_closed_during_the_offer_gives_it_back_to_the_line(service: Service) -> None:
    it = await offered(service)
    await settings(service, dial={"window": closed_now()})
    assert await rule_of(service.engine.ask(it.id, OfferAccepted("1001"))) == "window"
    held = await service.stored(it.id)
    assert (held.status, held.assigned_to, held.legs) == (Status.OPEN, None, ())
    assert (
        held.place.not_before
        and held.place.not_before > service.engine.clock.now()
        and held.place.queued_at == it.place.queued_at
    )


def tomorrow(wall: str, zone: str) -> datetime:
    """Tomorrow at that time there."""
    clock = ZoneInfo(zone)
    day = (datetime.now(clock) + timedelta(days=1)).date()
    return datetime.fromisoformat(f"{day}T{wall}").replace(tzinfo=clock)


async def said_of_time(service: Service, path: str, **sent: Any) -> tuple[int, str, str]:
    """Status, and where and why it is refused."""
    answer = await service.ask("PATCH" if "number" in sent and "at" not in sent else "POST", path, json=sent)
    (error,) = answer.body.get("errors") or [{"pointer": "", "detail": ""}]
    return answer.status, error["pointer"], error["detail"]


def utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


BERLIN = "Europe/Berlin"
DAY = {"window": ["08:00", "21:00"]}


@pytest.mark.parametrize(("wall", "next_day"), [("03:00", 0), ("07:59:59", 0), ("21:00", 1), ("23:30", 1)])
async def test_no_time_is_promised_at_which_the_customer_would_not_be_called(
    service: Service, wall: str, next_day: int
) -> None:
    await settings(service, dial=DAY)
    at = tomorrow(wall, BERLIN)
    opens = (at + timedelta(days=next_day)).replace(hour=8, minute=0, second=0)
    sent = {"queue": "support", "number": CUSTOMER, "at": at.isoformat()}
    status, pointer, why = await said_of_time(service, "callbacks", **sent)
    assert (status, pointer) == (422, "/at")
    assert "08:00" in why and "21:00" in why and BERLIN in why and utc(opens) in why
    assert (await service.ask("GET", "interactions")).body["items"] == [], "nothing was promised"
    sent["at"] = utc(opens)
    made = await service.ask("POST", "callbacks", json=sent)
    assert (made.status, made.body["due_at"]) == (201, utc(opens))


async def test_a_callback_is_put_off_to_a_time_at_which_the_customer_may_be_called(service: Service) -> None:
    await settings(service, dial=DAY)
    good, night = tomorrow("20:59", BERLIN), tomorrow("03:00", BERLIN)
    made = await service.ask("POST", "callbacks", json={"queue": "support", "number": CUSTOMER, "at": utc(good)})
    path = f"interactions/{made.body['id']}/reschedule"
    status, pointer, why = await said_of_time(service, path, at=utc(night))
    assert (status, pointer) == (422, "/at") and utc(tomorrow("08:00", BERLIN)) in why
    sent = {"action": "reschedule", "ids": [made.body["id"]], "at": utc(night)}
    (result,) = (await service.ask("POST", "interactions/bulk", json=sent)).body["results"]
    assert (result["status"], result["problem"]["errors"][0]["pointer"]) == (422, "/at")
    assert (await service.stored_by(made.body["id"])).request.promised_at == good, "it stands as it was"
    assert (await service.ask("POST", path, json={"at": utc(tomorrow("08:00", BERLIN))})).status == 200


async def test_where_the_zone_is_not_known_the_window_is_open_on_all_clocks_of_the_country(service: Service) -> None:
    await settings(service, dial=DAY, numbers_allowed=["+1"], region="US")
    noon = tomorrow("12:00", "America/New_York")
    hawaii = noon.replace(hour=8, tzinfo=ZoneInfo("Pacific/Honolulu"))  # on that day: an hour later, or two
    sent = {"queue": "support", "number": "+18005551234", "at": utc(noon)}
    status, _, why = await said_of_time(service, "callbacks", **sent)
    assert status == 422 and utc(hawaii) in why and "more" in why
    assert (await service.ask("POST", "callbacks", json={**sent, "at": utc(hawaii)})).status == 201
    of_new_york = {**sent, "number": "+12125550123"}
    made = await service.ask("POST", "callbacks", json=of_new_york)
    assert made.status == 201
    path, californian = f"interactions/{made.body['id']}", "+14155550132"
    assert (
        await service.ask("POST", f"{path}/reschedule", json={"at": utc(tomorrow("09:00", "America/New_York"))})
    ).status == 200
    status, pointer, why = await said_of_time(service, path, number=californian)
    assert (status, pointer) == (422, "/number") and "America/Los_Angeles" in why
    assert (await service.stored_by(made.body["id"])).number == "+12125550123"


async def test_the_window_of_now_counts_not_the_one_the_callback_came_in_under(service: Service) -> None:
    await settings(service, dial={"window": ["00:00", "24:00"]})
    sent = {"queue": "support", "number": CUSTOMER, "at": utc(tomorrow("12:00", BERLIN))}
    made = await service.ask("POST", "callbacks", json=sent)
    await settings(service, dial=DAY)
    path = f"interactions/{made.body['id']}/reschedule"
    assert (await said_of_time(service, path, at=utc(tomorrow("03:00", BERLIN))))[0] == 422


async def test_a_next_try_outside_the_window_is_no_promise_and_waits_for_it(service: Service) -> None:
    await settings(service, dial={"retry": {"busy": [3, 3600]}})
    it = await offered(service, dial={"retry": {"busy": [3, 3600]}})
    it = await service.engine.ask(it.id, OfferAccepted("1001"))
    await settings(service, dial={"window": closed_now(), "retry": {"busy": [3, 3600]}})
    customer, changed = it.leg(Role.CUSTOMER), service.changes()
    assert customer
    service.engine.hear(customer.id, LegGone(customer.id, 486))
    it = await changed.until(lambda now: now.stage is Stage.READY_TO_CALL)
    await service.engine.ask(it.id, WorkDone("1001", None, None))
    assert (await service.stored(it.id)).status is Status.SCHEDULED


# The switches


async def test_switched_off_by_another_process_no_callback_is_offered_and_callers_still_are(service: Service) -> None:
    await settings(service)
    callback = await service.callback()
    await settings(service, workflow={"steps": []})
    service.engine.queues_changed("support")
    await queues.switch(service.engine.pool, "support", register=None, process=False)
    live = await service.call_in(number="+4915112345679")
    changed = service.changes()
    await service.agent("1001", "support")
    await service.agent("1002", "support")
    for agent in ("1001", "1002"):
        await service.ask("PUT", f"agents/{agent}/state", json={"state": "ready"})
    assert (await changed.until(lambda it: it.status is Status.OFFERED)).id == live
    await service.agent("1003", "support")
    assert await rule_of(service.engine.agents.pick_up("1003", callback)) == "process"
    waiting = await service.stored(callback)
    assert (waiting.status, dialled(service)) == (Status.OPEN, 0)
    at = service.engine.clock.now()
    await queues.switch(service.engine.pool, "support", register=None, process=True)
    await changed.until(lambda it: it.id == callback and it.status is Status.OFFERED)
    assert service.engine.clock.now() - at < timedelta(seconds=1)


async def test_a_switch_flipped_after_the_offer_stops_the_dial(service: Service) -> None:
    it = await offered(service)
    await queues.switch(service.engine.pool, "support", register=None, process=False)
    assert await rule_of(service.engine.ask(it.id, OfferAccepted("1001"))) == "process"
    held = await service.stored(it.id)
    assert (held.status, held.place.queued_at, dialled(service)) == (Status.OPEN, it.place.queued_at, 0)


async def test_an_offer_that_stands_as_the_queue_is_switched_off_is_withdrawn(service: Service) -> None:
    it = await offered(service)
    changed = service.changes()
    await service.ask("PUT", "queues/support/switches", json={"process": False})
    back = await changed.until(lambda now: now.id == it.id)
    assert (back.status, back.legs, back.place.queued_at) == (Status.OPEN, (), it.place.queued_at)


async def test_with_registration_off_key_2_is_refused_and_so_is_the_api(service: Service) -> None:
    await settings(service)
    answer = await service.ask("PUT", "queues/support/switches", "supervisor", json={"register": False})
    assert (answer.status, answer.body) == (200, {"register": False, "process": True})
    it = await pressed_2(service)
    assert (it.status, said(service)) == (Status.OPEN, ("cannot-call-back",))
    assert await rules_told(service, it.id) == ["register"]
    asked = await service.ask("POST", "callbacks", json={"queue": "support", "number": "+4915112345670"})
    assert (asked.status, asked.body["code"], asked.body["rule"]) == (422, "number_blocked", "register")
    shown = await service.ask("GET", "queues")
    assert [each["switches"] for each in shown.body["items"]] == [{"register": False, "process": True}]
    await service.ask("PUT", "queues/support", json={"name": "support", "numbers": ["600"]})
    shown = await service.ask("GET", "queues/support")
    assert shown.body["switches"] == {"register": False, "process": True}, "settings do not turn switches"


# How many a second


async def test_an_acceptance_beyond_the_rate_is_told_so_and_may_be_repeated(service: Service) -> None:
    await settings(service, dial={"cps": 0.2})
    ids = [await service.callback(number=f"+491511234560{n}") for n in range(2)]
    both = [await offered_to(service, f"100{n}", each) for n, each in enumerate(ids)]
    first = await service.engine.ask(both[0].id, OfferAccepted("1000"))
    assert first.stage is Stage.DIALING
    with pytest.raises(RateLimited) as refused:
        await service.engine.ask(both[1].id, OfferAccepted("1001"))
    assert refused.value.retry_after >= 1
    assert (await service.stored(both[1].id)).status is Status.OFFERED and dialled(service) == 1


async def test_an_acceptance_just_beyond_the_rate_waits_its_turn(service: Service) -> None:
    await settings(service, dial={"cps": 4})
    ids = [await service.callback(number=f"+491511234560{n}") for n in range(6)]
    offers = [await offered_to(service, f"100{n}", each) for n, each in enumerate(ids)]
    clock = asyncio.get_running_loop()
    began = clock.time()
    await asyncio.gather(*(service.engine.ask(it.id, OfferAccepted(f"100{n}")) for n, it in enumerate(offers)))
    assert dialled(service) == 6 and clock.time() - began >= 0.4


async def test_waiting_for_ones_turn_is_not_taken_for_postgres_being_away(service: Service) -> None:
    await settings(service, dial={"cps": 1.25})
    ids = [await service.callback(number=f"+491511234560{n}") for n in range(2)]
    both = [await offered_to(service, f"100{n}", each) for n, each in enumerate(ids)]
    await service.engine.ask(both[0].id, OfferAccepted("1000"))
    accepted, noted = await asyncio.gather(
        service.engine.ask(both[1].id, OfferAccepted("1001")),
        service.engine.ask(both[1].id, NoteAdded("operator:admin", "Hello")),
    )
    assert (accepted.stage, noted.case.note) == (Stage.DIALING, "Hello")


# Over the API


async def test_the_check_explains(service: Service) -> None:
    await settings(service)
    answer = await service.ask("POST", "numbers/check", json={"queue": "support", "number": "0151 12345678"})
    opens = answer.body.pop("callable_from")
    assert answer.body == {
        "number": "0151 12345678",
        "e164": CUSTOMER,
        "allowed": True,
        "rule": None,
        "explanation": "This number is called.",
        "type": "mobile",
        "region": "DE",
        "time_zones": ["Europe/Berlin"],
    }
    assert opens
    for number, rule, kind in (
        ("112", "emergency", None),
        ("anonymous", "withheld", None),
        ("six", "invalid", None),
        ("09001123456", "premium_rate", "premium_rate"),
        ("+18762101234", "overseas", "mobile"),
    ):
        body = (await service.ask("POST", "numbers/check", json={"queue": "support", "number": number})).body
        assert (body["allowed"], body["rule"], body["type"]) == (False, rule, kind) and body["explanation"]
    await service.queue("there", region="FR", time_zone="Europe/Paris")
    for queue, one, other in (("support", "+33612345678", "+4933612345678"), ("there", "+33612345678", None)):
        sent = {"queue": queue, "number": "33612345678"}
        body = (await service.ask("POST", "numbers/check", json=sent)).body
        asked = await service.ask("POST", "callbacks", json=sent)
        if other is None:
            assert (body["e164"], asked.status) == (one, 201)
            continue
        assert (body["e164"], body["allowed"], body["rule"]) == (None, False, "ambiguous")
        assert (asked.status, asked.body["code"]) == (422, "invalid_number")
        assert all(one in told and other in told for told in (body["explanation"], asked.body["detail"]))
    missing = await service.ask("POST", "numbers/check", json={"queue": "nowhere", "number": "112"})
    assert (missing.status, missing.body["errors"][0]["pointer"]) == (422, "/queue")


async def test_the_do_not_call_list_is_kept_by_supervisors_and_forgets_nothing(service: Service) -> None:
    await settings(service)
    interaction_id, changed = await service.callback(), service.changes()
    put = await service.ask("PUT", f"do-not-call/{CUSTOMER}", "supervisor", json={"reason": "asked us to"})
    assert (put.status, put.body["number"], put.body["reason"]) == (200, CUSTOMER, "asked us to")
    assert (await changed.until(lambda it: it.id == interaction_id)).outcome == "blocked", "at once, not at its turn"
    again = await service.ask("PUT", f"do-not-call/{CUSTOMER}")
    assert again.body == put.body
    assert (await service.ask("GET", "do-not-call")).body == {"items": [put.body], "next_cursor": None}
    assert await told_by_check(service, "support") == "do_not_call"

    assert (await service.ask("DELETE", f"do-not-call/{CUSTOMER}")).status == 204
    assert (await service.ask("DELETE", f"do-not-call/{CUSTOMER}")).body["code"] == "not_found"
    assert await told_by_check(service, "support") is None
    async with connection(service.engine.pool) as c:
        (kept,) = await c.fetch("SELECT added_by, removed_by FROM do_not_call")
    assert tuple(kept) == ("operator:supervisor", "operator:admin")


async def test_the_list_is_not_for_agents_and_takes_e164_only(service: Service) -> None:
    await service.agent("1001")
    for method, path in (("GET", "do-not-call"), ("PUT", f"do-not-call/{CUSTOMER}")):
        assert (await service.ask(method, path, "1001")).body["code"] == "forbidden"
    for wrong in ("015112345678", "+0151", "nobody", "+49%0A151"):
        answer = await service.ask("PUT", f"do-not-call/{wrong}")
        assert (answer.status, answer.body["code"]) == (422, "invalid_number"), wrong


async def test_rules_that_make_no_sense_are_refused_where_they_are_set(service: Service) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"numbers_allowed": ["49"]}, "/numbers_allowed/0"),
        ({"numbers_denied": ["+49", "+0"]}, "/numbers_denied/1"),
        ({"numbers_denied": ["+49151x"]}, "/numbers_denied/0"),
        ({"dial": {"window": ["21:00", "08:00"]}}, "/dial/window"),
        ({"dial": {"window": ["8:00", "21:00"]}}, "/dial/window/0"),
        ({"dial": {"window": ["08:00"]}}, "/dial/window"),
        ({"dial": {"cps": 0}}, "/dial/cps"),
        ({"limits": {"requests_per_number": 0}}, "/limits/requests_per_number"),
        ({"callback": {"max_pending": -1}}, "/callback/max_pending"),
    )
    for settings_, pointer in wrong:
        answer = await service.ask("PUT", "queues/support", json={"name": "support", **settings_})
        assert (answer.status, answer.body["code"]) == (422, "invalid")
        assert pointer in [each["pointer"] for each in answer.body["errors"]]


async def test_no_rule_is_hidden_behind_another_error(service: Service) -> None:
    await settings(service)
    for number, code in (
        ("six six", "invalid_number"),
        ("112", "number_blocked"),
        ("+18762101234", "number_blocked"),
    ):
        answer = await service.ask("POST", "callbacks", json={"queue": "support", "number": number})
        assert answer.status == 422 and answer.body["code"] in (code, "invalid"), answer.body
    with pytest.raises(RingbackError):
        await service.engine.number_rules.explain("nowhere", CUSTOMER)
