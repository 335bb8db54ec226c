"""A look at Asterisk is as old as Postgres was slow: a call that was made since is not missing in it."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from api_service import QUICK, Service
from test_engine_faults import quiet

from dialplan import words
from dialplan.ari.connection import Connected, Item, Snapshot
from dialplan.ari.errors import AriError
from dialplan.ari.models import Application, Channel, ChannelDtmfReceived, StasisEnd
from dialplan.listen import Listener
from routing.core.effects import DialCustomer, HangUp
from routing.core.errors import Unavailable
from routing.core.events import DigitPressed, LegGone, LegRinging
from routing.core.interaction import Leg, Role, Stage, Status, Subtype
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery.recovery import reconcile
from routing.store import interactions


def snapshot(**states: str) -> Snapshot:
    """Of these channels, by their ids with an `x` before them."""
    caller = {"name": "", "number": ""}
    place = {"context": "c", "exten": "600", "priority": 1, "app_name": "Stasis", "app_data": ""}
    channels = [
        {
            "id": name[1:], "protocol_id": "x", "name": "PJSIP/1", "state": state, "caller": caller,
            "connected": caller, "accountcode": "", "creationtime": "2026-01-01T00:00:00.000+0000", "language": "en",
            "dialplan": place,
        }
        for name, state in states.items()
    ]  # fmt: skip
    lists: dict[str, list[Any]] = {
        each: [] for each in ("bridge_ids", "endpoint_ids", "device_names", "events_allowed", "events_disallowed")
    }
    application = Application(name=words.APP, channel_ids=[name[1:] for name in states], **lists)
    return Snapshot(msgspec.convert(channels, list[Channel]), [], application)


@dataclass
class Connection:
    """Tells what it is made to tell when it is asked how Asterisk is by now."""

    answers: list[Snapshot | AriError]

    waiting: tuple[Item, ...] = ()

    async def snapshot(self) -> Snapshot:
        answer = self.answers.pop(0)
        if isinstance(answer, AriError):
            raise answer
        return answer


async def agent_rings(service: Service) -> tuple[UUID, Leg]:
    """Picked up; the customer is dialled as soon as it is heard that the agent's phone rings."""
    await service.queue(numbers=["600"], workflow=QUICK)
    await service.agent("1001", "support")
    interaction_id = await service.callback()
    agent = (await service.engine.agents.pick_up("1001", interaction_id)).leg(Role.AGENT)
    assert agent
    return interaction_id, agent


async def customer_is_dialled(service: Service, interaction_id: UUID, agent: Leg) -> str:
    changed = service.changes()
    service.engine.hear(agent.id, LegRinging(agent.id))
    customer = (await changed.until(lambda it: it.leg(Role.CUSTOMER))).leg(Role.CUSTOMER)
    await quiet(service, interaction_id)
    assert customer and any(isinstance(each, DialCustomer) for each in service.phones.asked)
    return str(customer.id)


async def nothing_ended(service: Service, interaction_id: UUID) -> None:
    await quiet(service, interaction_id)
    assert (await service.stored(interaction_id)).stage in (Stage.DIALING, Stage.RINGING)
    assert not any(isinstance(each, HangUp) for each in service.phones.asked)


async def in_menu(service: Service) -> tuple[UUID, str]:
    """The caller, too."""
    await service.queue(numbers=["600"], workflow=QUICK)
    changed = service.changes()
    await service.call_in()
    it = await changed.until(lambda it: it.stage is Stage.MENU)
    return it.id, it.legs[0].id


async def is_called_back(service: Service, interaction_id: UUID) -> None:
    await quiet(service, interaction_id)
    it = await service.stored(interaction_id)
    assert (it.status, it.subtype) == (Status.OPEN, Subtype.CALLBACK)


async def test_what_was_told_before_the_look_and_comes_after_it_counts(service: Service) -> None:
    """A key and a hang-up; Asterisk's lists come over another connection, and are quicker."""
    interaction_id, caller = await in_menu(service)
    connection = Connection([])
    listener = Listener(connection, service.engine, lambda _: None, lambda: None)  # type: ignore[arg-type]
    (channel,) = snapshot(**{f"x{caller}": "Up"}).channels
    common: dict[str, Any] = {
        "application": words.APP,
        "timestamp": "2026-01-01T00:00:00.000+0000",
        "channel": channel,
    }
    comparing = asyncio.create_task(listener._take(Connected(snapshot(), 0)))
    await asyncio.sleep(0)
    connection.waiting = (
        ChannelDtmfReceived(digit="2", duration_ms=100, **common),
        StasisEnd(**common),
    )
    await comparing
    await is_called_back(service, interaction_id)


async def test_a_guess_that_somebody_has_gone_waits_for_what_they_say_themselves(service: Service) -> None:
    interaction_id, caller = await in_menu(service)
    service.engine.hear(caller, LegGone(caller, certain=False))
    service.engine.hear(caller, DigitPressed(caller, "2"))
    service.engine.hear(caller, LegGone(caller))
    await is_called_back(service, interaction_id)


async def test_each_try_to_compare_looks_at_asterisk_anew(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres is away just then, and comes back; an envelope that waited has the customer dialled meanwhile."""
    interaction_id, agent = await agent_rings(service)
    real, connection = interactions.known_legs, Connection([])

    async def away_at_first(*_: Any) -> Any:
        monkeypatch.setattr(interactions, "known_legs", real)
        customer = await customer_is_dialled(service, interaction_id, agent)
        connection.answers = [
            AriError(500, "not now", "GET /channels"),
            snapshot(**{f"x{agent.id}": "Ringing", f"x{customer}": "Down"}),
        ]
        raise Unavailable("Postgres does not answer.")

    monkeypatch.setattr(interactions, "known_legs", away_at_first)
    service.phones.asked.clear()
    listener = Listener(connection, service.engine, lambda _: None, lambda: None)  # type: ignore[arg-type]
    await listener._take(Connected(snapshot(**{f"x{agent.id}": "Ringing"}), 0))
    assert listener.ready and connection.answers == []
    await nothing_ended(service, interaction_id)


async def test_who_was_dialled_while_postgres_was_slow_is_not_missing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    interaction_id, agent = await agent_rings(service)
    real, asked, go = interactions.known_legs, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        asked.set()
        await go.wait()
        return await real(*arguments)

    monkeypatch.setattr(interactions, "known_legs", slow)
    service.phones.asked.clear()
    comparing = asyncio.create_task(reconcile(service.engine, Alive({agent.id: ChannelState.RINGING}, (agent.id,))))
    await asked.wait()
    await customer_is_dialled(service, interaction_id, agent)
    go.set()
    await comparing
    await nothing_ended(service, interaction_id)


async def test_a_leg_that_is_just_being_set_up_is_not_missing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked for before the look, and was not there yet."""
    interaction_id, agent = await agent_rings(service)
    service.phones.asked.clear()
    customer = await customer_is_dialled(service, interaction_id, agent)
    monkeypatch.setattr(service.phones, "expects", lambda leg: leg == customer)
    await reconcile(service.engine, Alive({agent.id: ChannelState.RINGING}, (agent.id,)))
    await nothing_ended(service, interaction_id)
