"""While Postgres does not answer: those on the line are seen to, nothing is promised, and later all is put right."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from api_service import CUSTOMER, QUICK, Service
from test_engine_faults import quiet, stalled, talking

from routing.core.effects import (
    AddToBridge,
    Answer,
    DialCustomer,
    Effect,
    HangUp,
    PlayPrompt,
    RingAgent,
    StartMusic,
    StopPrompt,
)
from routing.core.errors import Unavailable
from routing.core.events import (
    CallEnded,
    DigitPressed,
    LegAnswered,
    LegGone,
    LegRinging,
    NoteAdded,
    PromptFinished,
)
from routing.core.interaction import Deadline, Interaction, Leg, Role, Stage, Status, Subtype
from routing.engine import deciding, degraded, situation
from routing.engine import engine as engine_module
from routing.store import interactions


class Away:
    """Postgres stores nothing, or holds on to what it is given, until it is `back`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._back = asyncio.Event()
        self._slow = self._mute = False
        self._save, self._load = interactions.save, interactions.load
        monkeypatch.setattr(deciding, "LONGEST_PAUSE", 0.02)
        monkeypatch.setattr(deciding.interactions, "save", self.save)
        monkeypatch.setattr(deciding.interactions, "load", self.load)

    def back(self) -> None:
        self._back.set()

    def only_slow(self) -> None:
        self._slow = True

    def only_mute(self) -> None:
        """It stores what it is given, and nobody hears of it."""
        self._mute = True

    async def save(self, *arguments: Any) -> int:
        if self._mute and not self._back.is_set():
            await self._save(*arguments)
        await self._there()
        return await self._save(*arguments)

    async def load(self, *arguments: Any) -> Interaction:
        await self._there()
        return await self._load(*arguments)

    async def places(self, *_: Any) -> dict[UUID, int]:
        await self._there()
        return {}

    async def _there(self) -> None:
        if self._slow:
            await self._back.wait()
        elif not self._back.is_set():
            raise Unavailable("Postgres does not answer.")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degraded, "SOON", 0.05)


async def in_menu(service: Service) -> Interaction:
    """A caller who hears the menu."""
    await service.queue(numbers=["600"], workflow=QUICK)
    changed = service.changes()
    await service.call_in()
    it = await changed.until(lambda it: it.stage is Stage.MENU)
    service.phones.asked.clear()
    return it


def caller_of(it: Interaction) -> str:
    caller = it.leg(Role.CALLER)
    assert caller
    return caller.id


async def asked(service: Service, kind: type[Effect], times: int = 1) -> list[Any]:
    """Until Asterisk was asked for that."""
    async with asyncio.timeout(5):
        while len(found := [each for each in service.phones.asked if isinstance(each, kind)]) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found


def sides(it: Interaction) -> tuple[Leg, Leg]:
    """Of a talk: the customer's leg and the agent's."""
    customer, agent = it.leg(Role.CUSTOMER), it.leg(Role.AGENT)
    assert customer and agent
    return customer, agent


async def test_a_prompt_that_ends_is_followed_by_music(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    it, away = await in_menu(service), Away(monkeypatch)
    service.engine.hear(caller_of(it), PromptFinished(caller_of(it), it.playing or ""))
    assert await asked(service, StartMusic) == [StartMusic(caller_of(it))]
    away.back()


async def test_so_it_is_when_postgres_says_nothing_at_all(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    it, away = await in_menu(service), Away(monkeypatch)
    away.only_slow()
    service.engine.hear(caller_of(it), PromptFinished(caller_of(it), it.playing or ""))
    assert await asked(service, StartMusic) == [StartMusic(caller_of(it))]
    away.back()


async def test_key_2_gets_one_moment_then_music_and_once_it_is_stored_the_read_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, away, changed = await in_menu(service), Away(monkeypatch), service.changes()
    leg = caller_of(it)
    service.engine.hear(leg, DigitPressed(leg, "2"))
    (moment,) = await asked(service, PlayPrompt)
    assert moment.words == ("one-moment",)
    assert service.phones.asked[0] == StopPrompt(leg, it.playing or "")
    service.engine.hear(leg, PromptFinished(leg, moment.playback))
    assert await asked(service, StartMusic) == [StartMusic(leg)]

    away.back()
    it = await changed.until(lambda it: it.stage is Stage.CONFIRM)
    assert (await asked(service, PlayPrompt, 2))[1].words[0] == "confirm-number"


@pytest.mark.parametrize("mute", [False, True])
async def test_key_2_gets_one_moment_also_behind_a_time_that_ran_out_in_a_queue_that_tells_places(
    service: Service, monkeypatch: pytest.MonkeyPatch, mute: bool
) -> None:
    """Looking the place up before a decision must not keep anybody from being seen to without one."""
    menu = {"after": 0, "menu": "offer", "keys": {"2": "callback"}, "timeout": 0.2, "tries": 3}
    await service.queue(numbers=["600"], workflow={"steps": [menu, {"after": 60, "announce": ["position"]}]})
    changed = service.changes()
    await service.call_in()
    it = await changed.until(lambda it: it.stage is Stage.MENU)
    leg = caller_of(it)
    service.engine.hear(leg, PromptFinished(leg, it.playing or ""))
    await changed.until(lambda it: Deadline.INPUT in it.deadlines)
    service.phones.asked.clear()
    away = Away(monkeypatch)
    monkeypatch.setattr(situation.line, "places", away.places)
    if mute:
        away.only_slow()
    async with asyncio.timeout(5):
        while not service.engine._boxes[it.id].held:  # noqa: ASYNC110  # the time is over, which cannot be stored
            await asyncio.sleep(0.005)
    service.engine.hear(leg, DigitPressed(leg, "2"))
    (moment,) = await asked(service, PlayPrompt)
    assert moment.words == ("one-moment",)
    away.back()


async def test_a_key_is_given_up_in_the_end_and_the_caller_goes_on_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "KEY_WITHIN", 0.1)
    it, away, changed = await in_menu(service), Away(monkeypatch), service.changes()
    leg = caller_of(it)
    service.engine.hear(leg, DigitPressed(leg, "2"))
    await asked(service, PlayPrompt)
    await asyncio.sleep(0.15)
    away.back()
    service.engine.hear(leg, PromptFinished(leg, it.playing or ""))
    it = await changed.until(lambda it: it.playing is None)
    assert (it.stage, it.request.requested_at) == (Stage.MENU, None)
    assert [each.words for each in await asked(service, PlayPrompt)] == [("one-moment",)]


async def test_the_time_for_a_key_does_not_run_out_while_nobody_knows_that_it_has_begun(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres had stored that the menu was said, and could not say so for a minute: it is not said again, for a key
    pressed meanwhile would have been in vain."""
    it, away, changed = await in_menu(service), Away(monkeypatch), service.changes()
    leg = caller_of(it)
    away.only_mute()
    service.engine.hear(leg, PromptFinished(leg, it.playing or ""))
    await asked(service, StartMusic)
    monotonic = service.engine.clock.monotonic
    monkeypatch.setattr(service.engine.clock, "monotonic", lambda: monotonic() + 60)
    away.back()
    it = await changed.until(lambda it: it.playing is None)
    await quiet(service, it.id)
    stored = await service.stored(it.id)
    assert (stored.stage, stored.playing, stored.waiting.tries) == (Stage.MENU, None, 0)
    assert stored.deadlines == it.deadlines and it.deadlines[Deadline.INPUT] > service.engine.clock.now()
    service.engine.hear(leg, DigitPressed(leg, "2"))
    await changed.until(lambda it: it.stage is Stage.CONFIRM)


async def test_who_hangs_up_after_key_2_is_called_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes: the key came before the hang-up."""
    monkeypatch.setattr(deciding, "KEY_WITHIN", 0.1)
    it, away, changed = await in_menu(service), Away(monkeypatch), service.changes()
    leg = caller_of(it)
    service.engine.hear(leg, DigitPressed(leg, "2"))
    service.engine.hear(leg, LegGone(leg))
    await asyncio.sleep(0.15)
    away.back()
    it = await changed.until(lambda it: not it.legs)
    assert (it.status, it.subtype, it.number) == (Status.OPEN, Subtype.CALLBACK, CUSTOMER)


async def test_whose_other_side_has_gone_is_let_go(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    service.phones.asked.clear()
    customer, agent = sides(it)
    service.engine.hear(customer.id, LegGone(customer.id))
    assert HangUp(agent.id) in await asked(service, HangUp)
    away.back()
    await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)


async def picked_up(service: Service) -> tuple[UUID, Interaction]:
    """An agent waits on the line while the customer's phone rings."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id, changed = await service.callback(), service.changes()
    agent = (await service.engine.agents.pick_up("1001", interaction_id)).leg(Role.AGENT)
    assert agent
    service.engine.hear(agent.id, LegRinging(agent.id))
    service.engine.hear(agent.id, LegAnswered(agent.id))
    await changed.until(lambda it: it.leg(Role.CUSTOMER))
    await quiet(service, interaction_id)
    return interaction_id, await service.stored(interaction_id)


async def test_a_customer_who_answers_meanwhile_is_joined(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _, it = await picked_up(service)
    away, changed, customer = Away(monkeypatch), service.changes(), it.leg(Role.CUSTOMER)
    assert customer
    service.phones.asked.clear()
    service.engine.hear(customer.id, LegAnswered(customer.id))
    await asked(service, AddToBridge)
    away.back()
    await changed.until(lambda it: it.stage is Stage.TALKING)


async def test_nobody_is_called_and_no_call_is_answered(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    interaction_id, it = await picked_up(service)
    away, changed, customer = Away(monkeypatch), service.changes(), it.leg(Role.CUSTOMER)
    assert customer
    service.phones.asked.clear()
    service.engine.hear(customer.id, LegGone(customer.id, 486))
    with pytest.raises(Unavailable):
        await service.engine.ask(interaction_id, CallEnded("1001"))
    await asked(service, HangUp)
    started = [each for each in service.phones.asked if isinstance(each, RingAgent | DialCustomer | Answer)]
    assert started == []
    away.back()
    await changed.until(lambda it: it.id == interaction_id and it.leg(Role.CUSTOMER) is None)


async def test_requests_about_what_is_held_up_are_refused_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    away.only_slow()
    customer = it.leg(Role.CUSTOMER)
    assert customer
    service.engine.hear(customer.id, LegGone(customer.id))
    await asked(service, HangUp)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await service.engine.ask(it.id, CallEnded("1001"))
    assert asyncio.get_running_loop().time() - began < 0.1
    away.back()
    await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)


@pytest.mark.parametrize("trouble", ["mute", "refuses"])
async def test_whose_other_side_has_gone_is_let_go_though_an_end_of_the_call_was_refused_before(
    service: Service, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """The agent pressed End Call, was told that this is not possible now, and talked on."""
    monkeypatch.setattr(engine_module, "ANSWER_WITHIN", 0.2)
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    if trouble == "mute":
        away.only_slow()
    customer, agent = sides(it)
    service.phones.asked.clear()
    with pytest.raises(Unavailable):
        await service.engine.ask(it.id, CallEnded("1001"))
    assert service.phones.asked == [], "they still talk"
    service.engine.hear(customer.id, LegGone(customer.id))
    assert HangUp(agent.id) in await asked(service, HangUp)
    away.back()
    await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)


async def test_so_it_is_when_the_other_side_goes_before_the_refusal(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    customer, agent = sides(it)
    service.phones.asked.clear()
    request = asyncio.ensure_future(service.engine.ask(it.id, CallEnded("1001")))
    await asyncio.sleep(0)
    service.engine.hear(customer.id, LegGone(customer.id))
    with pytest.raises(Unavailable):
        await request
    assert HangUp(agent.id) in await asked(service, HangUp)
    away.back()
    await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)


async def test_who_asks_when_postgres_is_back_is_not_told_that_it_is_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal leaves a question behind, what became of it, that is asked again after ever longer pauses."""
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    monkeypatch.setattr(deciding, "FIRST_PAUSE", 60.0)
    with pytest.raises(Unavailable):
        await service.engine.ask(it.id, CallEnded("1001"))
    await stalled(service, it.id)
    with pytest.raises(Unavailable):
        await service.engine.ask(it.id, CallEnded("1001"))
    away.back()
    await service.engine.ask(it.id, CallEnded("1001"))
    await changed.until(lambda it: it.stage is not Stage.TALKING)


async def test_neither_is_one_who_asks_while_news_is_held_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then those on the line have been seen to; the news is stored first, and then it is the person's turn."""
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    monkeypatch.setattr(deciding, "FIRST_PAUSE", 60.0)
    _, agent = sides(it)
    service.engine.hear(agent.id, LegGone(agent.id))
    await stalled(service, it.id)
    await asyncio.sleep(2 * degraded.SOON)
    away.back()
    noted = await service.engine.ask(it.id, NoteAdded("operator:admin", "hello"))
    assert noted.case.note == "hello"
    await changed.until(lambda it: it.stage is not Stage.TALKING)


async def test_a_row_that_cannot_be_decided_upon_does_not_lose_the_news(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, away, changed = await talking(service), Away(monkeypatch), service.changes()
    away.only_slow()
    customer, agent = sides(it)

    def decide(*_: Any) -> Any:
        raise KeyError("a word of a newer version")

    monkeypatch.setattr(degraded, "decide", decide)
    service.engine.hear(agent.id, LegGone(agent.id))
    await stalled(service, it.id)
    service.engine.hear(customer.id, LegGone(customer.id))
    away.back()
    it = await changed.until(lambda it: it.stage is Stage.READY_TO_CALL)
    assert it.legs == ()
