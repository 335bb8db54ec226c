"""The engine when Postgres leaves it unsure, and when two sides race: nothing is lost, nothing done twice."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.core.agents import Availability
from routing.core.effects import Answer, DialCustomer, Effect, HangUp, RingAgent, SendBack, StartMusic
from routing.core.errors import Unavailable
from routing.core.events import CallEnded, CallerArrived, LegAnswered, LegGone, LegRinging, OfferAccepted, TimeReached
from routing.core.interaction import Interaction, Outcome, Role, Stage, Status
from routing.engine import arrivals, deciding, pacing
from routing.engine import engine as engine_module
from routing.engine.mailbox import Envelope
from routing.engine.pacing import Pacer
from routing.engine.phones import Alive, ChannelState, KnownAtOnce, MayCall
from routing.engine.recovery.recovery import reconcile
from routing.store import agents, interactions


class LostAnswers:
    """Postgres commits, but its answer gets lost, for the next so many saves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str = "save") -> None:
        self.next = 0
        self._real = getattr(interactions, name)
        monkeypatch.setattr(deciding.interactions, name, self)

    async def __call__(self, *arguments: Any) -> int:
        cursor: int = await self._real(*arguments)
        if self.next:
            self.next -= 1
            raise Unavailable("Postgres does not answer.")
        return cursor


async def talking(service: Service) -> Interaction:
    """A callback that was picked up; both sides talk."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    changed = service.changes()
    it = await service.engine.agents.pick_up("1001", interaction_id)
    agent = it.leg(Role.AGENT)
    assert agent
    service.engine.hear(agent.id, LegRinging(agent.id))
    service.engine.hear(agent.id, LegAnswered(agent.id))
    it = await changed.until(lambda it: it.leg(Role.CUSTOMER))
    customer = it.leg(Role.CUSTOMER)
    assert customer
    service.engine.hear(customer.id, LegAnswered(customer.id))
    return await changed.until(lambda it: it.stage is Stage.TALKING)


async def quiet(service: Service, interaction_id: UUID) -> None:
    """Wait until all that was in its mailbox is done, effects included: envelopes are handled in order."""
    answer: asyncio.Future[Interaction] = asyncio.get_running_loop().create_future()
    service.engine._box(interaction_id).post(Envelope(TimeReached(), 0.0, answer), service.engine._spawn)
    await asyncio.wait_for(answer, 5)


async def test_news_whose_commit_was_not_confirmed_is_acted_upon_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await talking(service)
    lost, changed = LostAnswers(monkeypatch), service.changes()
    service.phones.asked.clear()
    lost.next = 1
    customer, agent = it.leg(Role.CUSTOMER), it.leg(Role.AGENT)
    assert customer and agent
    service.engine.hear(customer.id, LegGone(customer.id))
    after = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    await quiet(service, it.id)
    assert service.phones.asked.count(HangUp(agent.id)) == 1
    assert after.version == (await service.stored(it.id)).version == it.version + 1


async def test_a_request_whose_commit_was_not_confirmed_is_answered_when_it_is_known(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await talking(service)
    lost = LostAnswers(monkeypatch)
    service.phones.asked.clear()
    lost.next = 1
    ended = await service.engine.ask(it.id, CallEnded("1001"))
    assert ended.stage is Stage.READY_TO_CALL
    await quiet(service, it.id)
    hung_up = {each.leg for each in service.phones.asked if isinstance(each, HangUp)}
    assert hung_up == {leg.id for leg in it.legs}


class OneFailure:
    """The first save does not happen. `reserved` are the customers' legs set up meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
        self.reserved: list[str] = []
        self._failed = False
        self._real = interactions.save
        monkeypatch.setattr(service.phones, "reserve", lambda call: self.reserved.append(call.leg))
        monkeypatch.setattr(deciding.interactions, "save", self)

    async def __call__(self, *arguments: Any) -> int:
        if not self._failed:
            self._failed = True
            raise Unavailable("Postgres does not answer.")
        return await self._real(*arguments)


def asked_of(service: Service, leg: str) -> list[str]:
    return [type(each).__name__ for each in service.phones.asked if getattr(each, "leg", None) == leg]


async def test_news_that_is_tried_again_takes_over_the_leg_set_up_for_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    agent = (await service.engine.agents.pick_up("1001", interaction_id)).leg(Role.AGENT)
    assert agent
    failure, changed = OneFailure(monkeypatch, service), service.changes()
    service.engine.hear(agent.id, LegRinging(agent.id))
    await changed.until(lambda it: it.leg(Role.CUSTOMER))
    await quiet(service, interaction_id)
    assert len(set(failure.reserved)) == 1 and asked_of(service, failure.reserved[0]) == ["DialCustomer"]


async def test_a_leg_set_up_for_a_try_that_failed_is_cleared_away_when_the_next_leads_elsewhere(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    agent = (await service.engine.agents.pick_up("1001", interaction_id)).leg(Role.AGENT)
    assert agent
    failure, changed = OneFailure(monkeypatch, service), service.changes()
    monkeypatch.setattr(deciding, "FIRST_PAUSE", 60.0)
    service.engine.hear(agent.id, LegRinging(agent.id))
    await stalled(service, interaction_id)
    monkeypatch.setattr(Pacer, "turn", lambda *_: pacing.MOST + 1)  # too many are called out just now
    service.engine._boxes[interaction_id].try_again()
    await changed.until(lambda it: it.status is Status.OPEN)
    await quiet(service, interaction_id)
    assert len(failure.reserved) == 1 and asked_of(service, failure.reserved[0]) == ["HangUp"]


async def stalled(service: Service, interaction: UUID) -> None:
    async with asyncio.timeout(5):
        while not service.engine._boxes[interaction].stalled:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_the_leg_set_up_for_a_request_that_failed_is_cleared_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id, changed = await service.callback(), service.changes()
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    agent = (await changed.until(lambda it: it.status is Status.OFFERED)).leg(Role.AGENT)
    assert agent
    service.engine.hear(agent.id, LegRinging(agent.id))
    await quiet(service, interaction_id)
    failure = OneFailure(monkeypatch, service)
    with pytest.raises(Unavailable):
        await service.engine.ask(interaction_id, OfferAccepted("1001"))
    await quiet(service, interaction_id)
    assert (await service.stored(interaction_id)).status is Status.OFFERED
    assert asked_of(service, failure.reserved[0]) == ["HangUp"]


async def test_a_call_whose_row_was_not_confirmed_leaves_no_ghost_behind(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    real, failed, changed = interactions.create, asyncio.Event(), service.changes()

    async def create(*arguments: Any) -> int:
        await real(*arguments)
        failed.set()
        raise Unavailable("Postgres does not answer.")

    monkeypatch.setattr(arrivals.interactions, "create", create)
    service.engine.arrive(CallerArrived("caller-1", "600", CUSTOMER))
    await asyncio.wait_for(failed.wait(), 5)
    closed = await changed.until(lambda it: it.status is Status.CLOSED)
    assert closed.legs == () and SendBack("caller-1") in service.phones.asked


async def test_a_request_that_waits_too_long_is_given_up_and_not_done_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await talking(service)
    monkeypatch.setattr(engine_module, "ANSWER_WITHIN", 0.1)
    away = asyncio.Event()

    async def save(*_: Any) -> int:
        if not away.is_set():
            raise Unavailable("Postgres does not answer.")
        return await real(*_)

    real = interactions.save
    monkeypatch.setattr(deciding.interactions, "save", save)
    agent, changed = it.leg(Role.AGENT), service.changes()
    assert agent
    service.engine.hear(agent.id, LegGone(agent.id))
    with pytest.raises(Unavailable):
        await service.engine.ask(it.id, CallEnded("1001"))
    away.set()
    after = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    await quiet(service, it.id)
    assert (await service.stored(it.id)).lines == after.lines  # the news alone, and nothing of the request


async def test_a_caller_who_arrives_while_contact_is_regained_is_not_hung_up(service: Service) -> None:
    await service.queue(numbers=["600"], workflow={"steps": []})
    interaction_id = await service.call_in()
    leg = (await service.stored(interaction_id)).legs[0].id
    service.phones.asked.clear()
    await reconcile(service.engine, Alive({leg: ChannelState.UP}))
    await quiet(service, interaction_id)
    assert Answer(leg, interaction_id.hex) in service.phones.asked and StartMusic(leg) in service.phones.asked
    assert HangUp(leg) not in service.phones.asked


async def test_a_leg_nobody_owns_is_hung_up_when_contact_is_regained(service: Service) -> None:
    orphan = "0" * 32
    await reconcile(service.engine, Alive({orphan: ChannelState.RINGING}, ours=(orphan,)))
    await service.settled()
    assert service.phones.asked == [HangUp(orphan)]


async def test_a_row_that_goes_on_while_it_is_read_after_a_restart_keeps_its_legs(service: Service) -> None:
    """An earlier commit that was not confirmed was kept from landing by a new version."""
    await service.queue(numbers=["600"], workflow=QUICK)
    interaction_id = await service.call_in()
    await quiet(service, interaction_id)
    read = await interactions.load(service.engine.pool, interaction_id)
    service.engine._legs.forget(interaction_id)  # as in a new process
    service.engine._box(interaction_id).interaction = read.changed(version=read.version + 1)
    service.engine.adopt(read)
    assert read.legs and all(service.engine.knows(each.id) for each in read.legs)


async def test_a_caller_who_waits_in_the_dialplan_stays_there_when_contact_is_regained(service: Service) -> None:
    """Given back, their row ended: in some seconds they ask again."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.callback()
    leg = await service.engine.pool.fetchval("SELECT id FROM legs")
    service.phones.asked.clear()
    await reconcile(service.engine, Alive({leg: ChannelState.UP}))
    await service.settled()
    assert service.phones.asked == []


async def test_an_offer_to_an_agent_who_has_just_left_goes_back_to_the_line(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id, changed = await service.callback(), service.changes()
    real = service.engine.router._ask

    async def leave_first(*arguments: Any) -> Interaction:
        await agents.set_availability(service.engine.pool, "1001", Availability.LOGGED_OUT, None)
        return await real(*arguments)

    monkeypatch.setattr(service.engine.router, "_ask", leave_first)
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    await changed.until(lambda it: it.id == interaction_id and it.status is Status.OFFERED)
    await changed.until(lambda it: it.id == interaction_id and it.status is Status.OPEN)


class FailsUnexpectedly:
    """One effect meets an error nobody has thought of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, service: Service, fails: Any) -> None:
        self._real, self._fails = service.phones.perform, fails
        monkeypatch.setattr(service.phones, "perform", self)

    async def __call__(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        if self._fails(effect):
            raise RuntimeError("Session is closed")
        return await self._real(effect, may_call)


async def test_an_effect_that_fails_unexpectedly_does_not_take_the_others_with_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await talking(service)
    customer, agent = it.leg(Role.CUSTOMER), it.leg(Role.AGENT)
    assert customer and agent
    FailsUnexpectedly(monkeypatch, service, lambda each: each == HangUp(customer.id))
    service.phones.asked.clear()
    service.engine.hear(customer.id, LegGone(customer.id, certain=False))
    await quiet(service, it.id)
    assert HangUp(agent.id) in service.phones.asked, "the agent is not left in the call"


async def test_a_call_that_fails_unexpectedly_is_over_and_nobody_is_to_blame(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id, changed = await service.callback(), service.changes()
    agent = (await service.engine.agents.pick_up("1001", interaction_id)).leg(Role.AGENT)
    assert agent
    FailsUnexpectedly(monkeypatch, service, lambda each: isinstance(each, DialCustomer))
    service.engine.hear(agent.id, LegRinging(agent.id))
    it = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    assert it.attempts[-1].outcome is Outcome.UNKNOWN
    assert HangUp(it.attempts[-1].id) in service.phones.asked


async def test_a_phone_that_cannot_be_rung_for_an_unexpected_error_is_offered_the_call_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow={"steps": [], "loop": False})
    await service.agent("1001", "support")
    interaction_id, changed = await service.call_in(), service.changes()
    rings = 0

    def first(effect: Effect) -> bool:
        nonlocal rings
        rings += isinstance(effect, RingAgent)
        return isinstance(effect, RingAgent) and rings == 1

    FailsUnexpectedly(monkeypatch, service, first)
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    await changed.until(lambda it: it.id == interaction_id and it.status is Status.OPEN)
    await changed.until(lambda it: it.id == interaction_id and it.status is Status.OFFERED)
    agent = await agents.get(service.engine.pool, "1001")
    assert agent.availability is Availability.READY


async def test_an_effect_of_recovery_that_fails_unexpectedly_does_not_end_the_service(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphans = ("0" * 32, "1" * 32)
    FailsUnexpectedly(monkeypatch, service, lambda each: each == HangUp(orphans[0]))
    await reconcile(service.engine, Alive(dict.fromkeys(orphans, ChannelState.UP), ours=orphans))
    await service.settled()
    assert service.phones.asked == [HangUp(orphans[1])]
