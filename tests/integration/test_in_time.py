"""What somebody did in time counts, however late it is heard: after a stall, at a start, with Postgres away."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from api_service import QUICK, Service, SilentPhones
from test_engine_faults import quiet
from test_engine_without_postgres import Away

from routing.core.agents import Availability
from routing.core.effects import AddToBridge, DialCustomer, HangUp, RingAgent
from routing.core.events import (
    DigitPressed,
    LegAnswered,
    LegGone,
    LegRinging,
    OfferAccepted,
    PromptFinished,
    TimeReached,
)
from routing.core.interaction import Deadline, Interaction, Leg, Role, Stage, Status, Subtype
from routing.engine import degraded
from routing.engine.clock import Clock
from routing.engine.engine import Engine
from routing.engine.lease import Lease
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import reconcile
from routing.store import interactions
from routing.store.database import Pool

MENU = {
    "steps": [{"after": 0, "menu": "offer", "tries": 1, "timeout": 1.0, "keys": {"2": "callback"}}],
    "loop": False,
}
DECLINED = 486


def leg(it: Interaction, role: Role) -> Leg:
    found = it.leg(role)
    assert found, f"no {role} leg"
    return found


@contextlib.asynccontextmanager
async def far_end(service: Service, caller: str, reading: float = 0) -> AsyncIterator[socket.socket]:
    """A socket through which keys and the hang-up of this caller come, as from Asterisk. It takes `reading` seconds
    until what is in it is read: much else is."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)

    async def listen() -> None:
        while line := await reader.readline():
            await asyncio.sleep(reading)
            event = LegGone(caller) if line == b"bye\n" else DigitPressed(caller, line.decode().strip())
            service.engine.hear(caller, event)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    yield theirs
    listening.cancel()
    writer.close()
    theirs.close()


@pytest.mark.parametrize(("stall", "reading"), [(1.5, 0), (3.0, 0), (1.1, 0.05), (1.02, 0)])
async def test_a_key_pressed_in_time_counts_though_nothing_ran_for_longer(
    service: Service, stall: float, reading: float
) -> None:
    await service.queue(numbers=["600"], workflow=MENU)
    changed = service.changes()
    await service.call_in()
    it = await changed.until(lambda it: it.stage is Stage.MENU)
    caller = leg(it, Role.CALLER).id
    service.engine.hear(caller, PromptFinished(caller, it.playing or ""))
    it = await changed.until(lambda it: Deadline.INPUT in it.deadlines)
    await quiet(service, it.id)

    def presses(theirs: socket.socket) -> None:
        time.sleep(0.2)  # 0.8 s before the time for a key is over
        theirs.sendall(b"2\n")
        time.sleep(0.2)
        theirs.sendall(b"bye\n")

    async with far_end(service, caller, reading) as theirs:
        presser = threading.Thread(target=presses, args=(theirs,))
        presser.start()
        time.sleep(stall)  # noqa: ASYNC251  # nothing of the process runs
        it = await changed.until(lambda it: not it.legs)
        presser.join()
    assert (it.status, it.subtype) == (Status.OPEN, Subtype.CALLBACK)


async def picked_up(service: Service, **dial: object) -> tuple[UUID, Leg]:
    """A callback an agent has picked up, whose phone is about to ring."""
    await service.queue(numbers=["600"], workflow=QUICK, dial=dial)
    await service.agent("1001", "support")
    interaction = await service.callback()
    it = await service.engine.agents.pick_up("1001", interaction)
    await quiet(service, interaction)
    return interaction, leg(it, Role.AGENT)


async def test_a_new_process_looks_at_asterisk_before_it_lets_time_pass_for_those_on_the_line(
    service: Service, pool: Pool
) -> None:
    """The process dies, the customer answers in time, the next process starts when that time is over."""
    interaction, agent = await picked_up(service, ring_timeout=1)
    changed = service.changes()
    service.engine.hear(agent.id, LegRinging(agent.id))
    service.engine.hear(agent.id, LegAnswered(agent.id))
    customer = leg(await changed.until(lambda it: it.leg(Role.CUSTOMER)), Role.CUSTOMER)
    await quiet(service, interaction)
    service.engine.halt()
    await pool.execute("UPDATE shards SET owner = 'dead', until = '-infinity'")
    stored = await interactions.load(pool, interaction)
    passed = stored.deadlines[Deadline.CUSTOMER_ANSWER] - service.engine.clock.now()
    await asyncio.sleep(max(0.0, passed.total_seconds()) + 0.2)

    lease = Lease(pool, "test")
    await lease.take()
    phones, contact = SilentPhones(), False
    engine = Engine(pool, await Clock.of(pool, "test"), lease, phones)
    engine.add_part("ari", lambda: contact)
    running = asyncio.create_task(engine.run())
    await asyncio.sleep(0.5)
    talking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    engine.subscribe(lambda notice: _done(talking, getattr(notice, "interaction", None)))
    await reconcile(engine, Alive({agent.id: ChannelState.UP, customer.id: ChannelState.UP}, (agent.id, customer.id)))
    contact = True
    await asyncio.wait_for(talking, 5)
    running.cancel()
    await asyncio.wait([running])
    assert HangUp(customer.id) not in phones.asked


def _done(future: "asyncio.Future[None]", it: Interaction | None) -> None:
    if it and it.stage is Stage.TALKING and not future.done():
        future.set_result(None)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degraded, "SOON", 0.05)


async def test_nobody_is_dialled_for_an_agent_whose_end_waits_behind_the_ringing(
    service: Service, monkeypatch: pytest.MonkeyPatch, soon: None
) -> None:
    interaction, agent = await picked_up(service)
    away, changed = Away(monkeypatch), service.changes()
    service.engine.hear(agent.id, LegRinging(agent.id))
    service.engine.hear(agent.id, LegGone(agent.id, DECLINED))
    away.back()
    await changed.until(lambda it: it.id == interaction and it.leg(Role.AGENT) is None)
    await quiet(service, interaction)
    assert not [each for each in service.phones.asked if isinstance(each, DialCustomer)]


@pytest.mark.parametrize("late", [False, True])
async def test_nobody_is_dialled_for_an_agent_who_left_while_the_commit_was_unsure(
    service: Service, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    interaction, agent = await picked_up(service)
    monkeypatch.setattr(degraded, "SOON", 0.0 if late else 60.0)
    away, changed = Away(monkeypatch), service.changes()
    away.only_mute()
    service.engine.hear(agent.id, LegRinging(agent.id))
    await _stored_attempt(service, interaction)
    service.engine.hear(agent.id, LegGone(agent.id, DECLINED))
    away.back()
    await changed.until(lambda it: it.id == interaction and bool(it.attempts and it.attempts[-1].ended_at))
    await quiet(service, interaction)
    assert not [each for each in service.phones.asked if isinstance(each, DialCustomer)]


async def test_nor_once_the_window_has_closed_meanwhile(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degraded, "SOON", 0.0)
    berlin = service.engine.clock.now().astimezone(ZoneInfo("Europe/Berlin"))
    closes = berlin + timedelta(minutes=2)
    window = ["00:00", f"{closes:%H:%M}"] if closes.date() == berlin.date() else ["00:00", "24:00"]
    interaction, agent = await picked_up(service, window=window)
    away, changed = Away(monkeypatch), service.changes()
    away.only_mute()
    service.engine.hear(agent.id, LegRinging(agent.id))
    await _stored_attempt(service, interaction)
    if closes.date() == berlin.date():
        service.engine.clock._known += timedelta(minutes=3)
    else:  # around midnight: the rule that has come meanwhile is another one
        await service.engine.pool.execute("UPDATE queues SET process = false")
    away.back()
    await changed.until(lambda it: it.id == interaction and it.status is Status.OPEN)
    assert not [each for each in service.phones.asked if isinstance(each, DialCustomer)]


async def _stored_attempt(service: Service, interaction: UUID) -> None:
    async with asyncio.timeout(5):
        while not await service.engine.pool.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM attempts WHERE interaction = $1", interaction
        ):
            await asyncio.sleep(0.01)


async def offered(service: Service, **offer: object) -> Interaction:
    """A caller who waits, and whose agent's phone rings."""
    await service.queue(numbers=["600"], workflow={"steps": [], "loop": False}, offer=offer)
    await service.call_in()
    await service.agent("1001", "support")
    changed = service.changes()
    await service.engine.agents.set_availability("1001", Availability.READY, None)
    it = await changed.until(lambda it: it.status is Status.OFFERED)
    service.engine.hear(leg(it, Role.AGENT).id, LegRinging(leg(it, Role.AGENT).id))
    await quiet(service, it.id)
    service.phones.asked.clear()
    return it


@pytest.mark.parametrize("seen_to", [True, False])
async def test_a_caller_nobody_was_joined_with_waits_on_when_the_agent_gives_up_in_silence(
    service: Service, monkeypatch: pytest.MonkeyPatch, seen_to: bool
) -> None:
    monkeypatch.setattr(degraded, "SOON", 0.05 if seen_to else 60.0)
    it = await offered(service)
    agent, caller = leg(it, Role.AGENT).id, leg(it, Role.CALLER).id
    away, changed = Away(monkeypatch), service.changes()
    service.engine.hear(agent, LegAnswered(agent))
    if seen_to:
        await _held_up(service, it.id)
    service.engine.hear(agent, LegGone(agent, 16))
    away.back()
    after = await changed.until(lambda each: each.id == it.id and each.leg(Role.AGENT) is None)
    assert after.leg(Role.CALLER) and after.status is Status.OPEN
    asked = service.phones.asked
    assert HangUp(caller) not in asked and not [each for each in asked if isinstance(each, AddToBridge)]


async def _held_up(service: Service, interaction: UUID) -> None:
    async with asyncio.timeout(5):
        while not service.engine._boxes[interaction].held:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_agent_whose_phone_went_before_the_restart_is_not_rung_under_the_old_id(service: Service) -> None:
    it = await offered(service)
    agent = leg(it, Role.AGENT).id
    await service.engine.pool.execute("UPDATE legs SET state = 'asked' WHERE id = $1", agent)
    box = service.engine._boxes[it.id]
    box.interaction = None
    changed = service.changes()
    caller = leg(it, Role.CALLER).id
    await reconcile(service.engine, Alive({caller: ChannelState.UP}))
    service.engine.hear(agent, LegGone(agent, DECLINED))
    await changed.until(lambda each: each.id == it.id and each.leg(Role.AGENT) is None)
    assert not [each for each in service.phones.asked if isinstance(each, RingAgent) and each.leg == agent]


async def test_an_agent_who_lifted_while_the_row_was_locked_is_in_time(service: Service) -> None:
    """The acceptance waits for the row; the time for it, and then for lifting, ends behind it."""
    it = await offered(service, accept_timeout=1, answer_timeout=0.5)
    agent, changed = leg(it, Role.AGENT).id, service.changes()
    async with service.engine.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM interactions WHERE id = $1 FOR UPDATE", it.id)
        accepting = asyncio.create_task(service.engine.ask(it.id, OfferAccepted("1001")))
        async with asyncio.timeout(5):
            box = service.engine._boxes[it.id]
            while not any(isinstance(each.event, TimeReached) for each in box.waiting):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        service.engine.hear(agent, LegAnswered(agent))
        await asyncio.sleep(0.6)  # the time for lifting would be over, too
    await accepting
    after = await changed.until(lambda each: each.id == it.id and each.stage is not Stage.AGENT_RINGING)
    assert (after.stage, after.assigned_to) == (Stage.TALKING, "1001")
