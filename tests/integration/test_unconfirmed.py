"""What was stored without Postgres' saying so: nothing is done twice, nobody is left in a row nobody knows of."""

import asyncio
from typing import Any

import pytest
from api_service import CUSTOMER, QUICK, Service
from test_engine_faults import LostAnswers, quiet

from routing.core.effects import SendBack
from routing.core.errors import Conflict, Unavailable
from routing.core.events import CallbackRequested, CallerArrived, LegAnswered, LegGone, Offered
from routing.core.interaction import Interaction, Stage, Status
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import reconcile
from routing.engine.recovery.sweeping import Sweeper
from routing.store import interactions
from routing.store.read import feed

WAITS = {"steps": [], "loop": False}
REQUEST = CallbackRequested(by="operator:admin", queue="support", number=CUSTOMER)


async def rows(service: Service) -> list[tuple[str, str | None, int]]:
    """Status, outcome and live legs of all there are, in the order they came."""
    found = await service.engine.pool.fetch(
        "SELECT status, outcome,"
        "       (SELECT count(*) FROM legs l WHERE l.interaction = i.id AND ended_at IS NULL) AS legs"
        "  FROM interactions i ORDER BY entered_at"
    )
    return [(row["status"], row["outcome"], row["legs"]) for row in found]


class LandsLate:
    """The next create is given up by us while Postgres is still at it; it is stored when `lands`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._monkeypatch = interactions.create, monkeypatch
        self._arguments: tuple[Any, ...] = ()
        self.asked = asyncio.Event()
        monkeypatch.setattr(interactions, "create", self)

    async def __call__(self, *arguments: Any) -> int:
        self._monkeypatch.setattr(interactions, "create", self._real)
        self._arguments = arguments
        self.asked.set()
        raise Unavailable("Postgres does not answer.")

    async def lands(self) -> None:
        await self._real(*self._arguments)


async def test_a_note_that_is_sent_again_under_its_key_stands_there_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=WAITS)
    interaction = await service.call_in()
    lost = LostAnswers(monkeypatch)
    lost.next = 1
    send = {"json": {"note": "call after 5"}, "headers": {"Idempotency-Key": "k1"}}
    answers = [await service.ask("POST", f"interactions/{interaction}/notes", **send) for _ in range(2)]
    assert answers[0].body == answers[1].body and answers[0].status == answers[1].status < 300
    lines = await feed.of_interaction(service.engine.pool, interaction)
    assert [line.event for line in lines].count("note_added") == 1


async def test_a_request_whose_row_was_stored_unconfirmed_is_answered_and_told_to_the_streams(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK)
    lost, changed = LostAnswers(monkeypatch, "create"), service.changes()
    lost.next = 1
    it = await service.engine.request(REQUEST)
    assert (await changed.until(lambda each: each.number == CUSTOMER)).id == it.id
    assert await rows(service) == [("open", None, 0)]


async def test_a_request_that_has_gone_on_before_it_was_certain_stays_as_it_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulation (seed 13462): an offer was forgotten, and the agent's answer passed over."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    LostAnswers(monkeypatch, "create").next = 1
    found, go_on = asyncio.Event(), asyncio.Event()
    certain = service.engine.lease.committed

    async def committed() -> None:
        found.set()
        await go_on.wait()
        await certain()

    monkeypatch.setattr(service.engine.lease, "committed", committed)
    monkeypatch.setattr(service.engine, "_forget", lambda _: None)  # the offer is quicker than that
    requested = asyncio.create_task(service.engine.request(REQUEST))
    await found.wait()
    interaction = await service.engine.pool.fetchval("SELECT id FROM interactions")
    offered = await service.engine.ask(interaction, Offered("1001"))
    go_on.set()
    await requested
    changed = service.changes()
    service.engine.hear(offered.legs[0].id, LegAnswered(offered.legs[0].id))
    assert (await changed.until(lambda it: it.status is Status.CONNECTED)).stage is Stage.DIALING


async def test_a_request_that_postgres_never_got_is_stored_once_by_the_second_try(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=QUICK, limits={"requests_per_number": 1})
    late = LandsLate(monkeypatch)
    it = await service.engine.request(REQUEST)
    with pytest.raises(Conflict):
        await late.lands()
    assert await rows(service) == [("open", None, 0)] and it.status is Status.OPEN


CALLER = CallerArrived("caller-1", "600", CUSTOMER)


async def sent_back(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """`CALLER`, whose row was stored and nobody knew."""
    await service.queue(numbers=["600"], workflow=WAITS)
    lost, changed = LostAnswers(monkeypatch, "create"), service.changes()
    lost.next = 1
    service.engine.arrive(CALLER)
    await changed.until(lambda it: it.status is Status.CLOSED)
    await service.settled()


async def test_a_caller_sent_back_is_an_error_of_ours_and_no_abandon(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sent_back(service, monkeypatch)
    assert await rows(service) == [("closed", "error", 0)]


async def test_a_caller_whose_sending_back_is_late_is_neither_let_in_nor_hung_up_but_sent_back_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk may take its time for it, or not have heard it."""
    await sent_back(service, monkeypatch)
    there, sweeper = Alive({"caller-1": ChannelState.UP}, callers=(CALLER,)), Sweeper(service.engine)
    changed = service.changes()
    assert service.phones.asked == [SendBack("caller-1")]
    await reconcile(service.engine, there)
    await sweeper.look(there)
    await service.settled()
    assert service.phones.asked == [SendBack("caller-1")] and len(await rows(service)) == 1
    await sweeper.look(there)
    await service.settled()
    assert service.phones.asked == [SendBack("caller-1")] * 2 and len(await rows(service)) == 1
    service.engine.hear("caller-1", LegGone("caller-1"))
    service.engine.arrive(CALLER)
    await changed.until(lambda it: bool(it.legs))
    assert [row[0] for row in await rows(service)] == ["closed", "open"]


async def test_a_caller_who_leaves_while_the_rows_are_read_is_left_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent back, seen twice, and obeyed just now: the caller hears the dialplan's music."""
    await sent_back(service, monkeypatch)
    other, changed = CallerArrived("caller-2", "600", "+4915112345679"), service.changes()
    there = Alive({"caller-1": ChannelState.UP, "caller-2": ChannelState.UP}, callers=(CALLER, other))
    sweeper, real = Sweeper(service.engine), interactions.known_legs
    await sweeper.look(there)

    async def known_legs(*arguments: Any) -> Any:
        service.engine.hear("caller-1", LegGone("caller-1"))
        return await real(*arguments)

    monkeypatch.setattr(interactions, "known_legs", known_legs)
    await sweeper.look(there)
    await changed.until(lambda it: any(leg.id == "caller-2" for leg in it.legs))
    await service.settled()
    asked = [each for each in service.phones.asked if getattr(each, "leg", None) == "caller-1"]
    assert asked == [SendBack("caller-1")] * 2 and [row[0] for row in await rows(service)] == ["closed", "open"]


async def test_nor_does_one_whose_leg_becomes_another_rows_as_it_is_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.queue(numbers=["600"], workflow=WAITS)
    late, committed = LandsLate(monkeypatch), service.engine.lease.committed
    landed = asyncio.Event()

    async def when_the_caller_is_gone_again() -> None:
        """The first row was read with its leg; the second one ends that before anything more is done."""
        service.engine.hear("caller-1", LegGone("caller-1"))
        await ended.until(lambda it: it.status is Status.CLOSED)
        await committed()

    async def load(*arguments: Any) -> Interaction:
        await landed.wait()
        return await real(*arguments)

    real = interactions.load
    monkeypatch.setattr(interactions, "load", load)
    monkeypatch.setattr(service.engine.lease, "committed", when_the_caller_is_gone_again)
    changed, ended = service.changes(), service.changes()
    service.engine.arrive(CALLER)
    await asyncio.sleep(0)
    await late.asked.wait()
    service.engine.arrive(CallerArrived("caller-1", "600", CUSTOMER, answered=True))
    await changed.until(lambda it: bool(it.legs))
    await late.lands()
    landed.set()
    first = await changed.until(lambda it: it.status is Status.CLOSED and it.outcome == "error")
    assert first.legs == () and [row[0] for row in await rows(service)] == ["closed", "closed"]


@pytest.mark.parametrize("lands", ["never", "before the caller is back", "while the caller is back"])
async def test_a_row_that_lands_late_leaves_no_second_caller_in_line(
    service: Service, monkeypatch: pytest.MonkeyPatch, lands: str
) -> None:
    await service.queue(numbers=["600"], workflow=WAITS)
    late = LandsLate(monkeypatch)
    monkeypatch.setattr("routing.engine.arrivals.AGAIN", 0.1)
    hold, real = asyncio.Event(), interactions.load

    async def load(*arguments: Any) -> Interaction:  # the fence comes after what lands
        if lands != "never":
            await hold.wait()
        return await real(*arguments)

    monkeypatch.setattr(interactions, "load", load)
    service.engine.arrive(CALLER)
    await asyncio.sleep(0.2)
    if lands.startswith("before"):
        await late.lands()
    changed = service.changes()
    service.engine.arrive(CallerArrived("caller-1", "600", CUSTOMER, answered=True))
    back = await changed.until(lambda it: bool(it.legs))
    if lands.startswith("while"):
        await late.lands()
    hold.set()
    await quiet(service, back.id)
    service.engine.hear("caller-1", LegGone("caller-1"))
    await changed.until(lambda it: it.id == back.id and it.status is Status.CLOSED)
    async with asyncio.timeout(5):
        while len(found := await rows(service)) < 2 or any(row[0] != "closed" for row in found):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [row[1] for row in found] == ["error", "short_abandon"] and not any(row[2] for row in found)
