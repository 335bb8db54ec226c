"""The live stream over a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

import aiohttp
import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.api.interactions import answers
from routing.api.live import hub, stream
from routing.core.interaction import Status

Message = dict[str, Any]


class Stream:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Message] = []

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive_json()
                self.seen.append(message)
                if wanted(message):
                    return message  # type: ignore[no-any-return]

    async def of_type(self, kind: str) -> Message:
        return await self.until(lambda message: message["type"] == kind)


@asynccontextmanager
async def listening(service: Service, who: str, query: str = "") -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {await service.token(who)}"}
    async with service.http.ws_connect(f"{service.url}/api/v1/stream{query}", headers=headers) as socket:
        made = Stream(socket)
        await made.of_type("hello")
        yield made


@pytest.fixture(autouse=True)
async def two_queues(service: Service) -> None:
    await service.queue("support", numbers=["600"], workflow=QUICK, offer={"accept_timeout": 20})
    await service.queue("sales", numbers=["601"], workflow={"steps": []})
    await service.agent("1001", "support")
    await service.agent("1002", "sales")


async def ready(service: Service, agent: str = "1001") -> None:
    assert (await service.ask("PUT", f"agents/{agent}/state", agent, json={"state": "ready"})).status == 200


async def test_an_offer_comes_with_its_preview_and_goes_when_it_is_rejected(service: Service) -> None:
    async with listening(service, "1001") as mine, listening(service, "1002") as theirs:
        interaction_id = str(await service.callback())
        await ready(service)

        offer = await mine.of_type("offer")
        assert set(offer) - {"type", "cursor", "agent"} == {each.name for each in fields(answers.Offer)}
        assert offer["interaction"]["id"] == interaction_id
        assert offer["interaction"]["number"] == CUSTOMER
        assert (offer["accept_mode"], offer["countdown"], offer["reject_allowed"]) == ("manual", None, True)
        assert offer["deadline"] > offer["interaction"]["entered_at"]

        await service.ask("POST", f"interactions/{interaction_id}/reject", "1001")
        gone = await mine.of_type("offer_withdrawn")
        assert (gone["interaction"]["id"], gone["agent"], gone["reason"]) == (interaction_id, "1001", "rejected")

        await service.ask("PUT", "agents/1002/state", "1002", json={"state": "not_ready"})
        await theirs.until(lambda message: message.get("id") == "1002")
        assert {message["type"] for message in theirs.seen} <= {"hello", "agent"}
        assert {message["id"] for message in theirs.seen if message["type"] == "agent"} == {"1002"}


async def test_agents_see_masked_numbers_and_supervisors_whole_ones(service: Service) -> None:
    async with listening(service, "1001") as agent, listening(service, "supervisor") as supervisor:
        await service.call_in("600")
        masked = await agent.of_type("interaction")
        whole = await supervisor.of_type("interaction")

    assert masked["interaction"]["number"] == "+49******678"
    assert whole["interaction"]["number"] == CUSTOMER
    assert whole["interaction"]["position"] == 1


async def test_cursors_never_go_back(service: Service) -> None:
    async with listening(service, "admin") as admin:
        for n in range(3):
            await service.callback(number=f"+491511234560{n}")
        last = await service.ask("GET", "interactions?limit=1")
        await admin.until(lambda m: m["type"] == "interaction" and m["interaction"] == last.body["items"][0])

    cursors = [message["cursor"] for message in admin.seen]
    assert cursors == sorted(cursors)
    assert cursors[-1] > cursors[0]


async def test_who_comes_back_with_a_cursor_is_told_what_was_missed(service: Service) -> None:
    async with listening(service, "1001") as before:
        first = str(await service.callback(number="+4915112345601"))
        cursor = (await before.until(lambda m: m.get("interaction", {}).get("status") == "open"))["cursor"]
    second = str(await service.callback(number="+4915112345602"))
    other = str(await service.call_in("601", "+4915112345603"))

    async with listening(service, "1001", f"?after={cursor}") as back:
        told = await back.until(lambda m: m.get("interaction", {}).get("id") == second)
        await back.until(lambda m: m["type"] == "queue" and m["name"] == "support")

    assert (told["interaction"]["subtype"], told["interaction"]["position"]) == ("callback", 2)
    assert {m["interaction"]["id"] for m in back.seen if m["type"] == "interaction"} == {first, second}
    assert other not in str(back.seen)


async def test_who_comes_back_after_too_much_has_happened_is_told_to_reload_and_nothing_old(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_REPLAYED", 3)
    await service.callback(number="+4915112345601")

    async with listening(service, "1001", "?after=0") as back:
        reload = await back.of_type("reload")
        await service.callback(number="+4915112345602")
        await back.until(lambda m: m.get("interaction", {}).get("subtype") == "callback")

    assert reload["cursor"] > 3
    told = {m["interaction"]["number"] for m in back.seen if m["type"] == "interaction"}
    assert told == {"+49******602"}


async def test_an_offer_that_stands_is_told_to_who_connects(service: Service) -> None:
    changed = service.changes()
    interaction_id = await service.callback()
    await ready(service)
    await changed.until(lambda it: it.status is Status.OFFERED)

    async with listening(service, "1001") as mine:
        assert (await mine.of_type("offer"))["interaction"]["id"] == str(interaction_id)


async def test_accepting_ends_the_offer_without_withdrawing_it(service: Service) -> None:
    async with listening(service, "1001") as mine:
        interaction_id = await service.callback()
        await ready(service)  # not before: a live caller could be offered before the menu starts
        await mine.of_type("offer")
        await service.ask("POST", f"interactions/{interaction_id}/accept", "1001")
        await mine.until(lambda m: m.get("interaction", {}).get("status") == "connected")

    assert "offer_withdrawn" not in {message["type"] for message in mine.seen}


async def test_logout_ends_the_stream(service: Service) -> None:
    async with listening(service, "1001") as mine, asyncio.timeout(10):
        await service.ask("POST", "logout", "1001")
        closed = await mine.socket.receive()
        while closed.type is aiohttp.WSMsgType.TEXT:
            closed = await mine.socket.receive()

    assert closed.type is aiohttp.WSMsgType.CLOSE


async def test_new_queues_of_an_agent_count_at_once(service: Service) -> None:
    async with listening(service, "1001") as mine:
        body = {"queues": [{"queue": "support"}, {"queue": "sales"}]}
        await service.ask("PUT", "agents/1001", json=body)
        await mine.until(lambda m: m["type"] == "agent" and len(m["agent"]["queues"]) == 2)
        interaction_id = await service.call_in("601")

        told = await mine.of_type("interaction")

    assert told["interaction"]["id"] == str(interaction_id)


async def test_a_deleted_queue_and_agent_are_told_as_null(service: Service) -> None:
    async with listening(service, "admin") as admin:
        await service.ask("DELETE", "queues/sales")
        queue = await admin.of_type("queue")
        await service.ask("DELETE", "agents/1002")
        agent = await admin.until(lambda m: m["type"] == "agent" and m["agent"] is None)

    assert (queue["name"], queue["queue"]) == ("sales", None)
    assert agent["id"] == "1002"


@pytest.mark.parametrize("limit", ["behind", "slow"])
async def test_a_reader_who_does_not_read_is_cut_off_and_the_others_are_not(
    service: Service, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(hub, "MOST_WAITING", 20 if limit == "behind" else 100_000)
    monkeypatch.setattr(stream, "WRITE_TIMEOUT", 0.2 if limit == "slow" else 60)
    await service.queue("big", numbers=[f"{n:020}" for n in range(1000)])
    async with listening(service, "supervisor") as lazy, listening(service, "admin") as keen:
        lazy.socket._conn.protocol.pause_reading()  # type: ignore[union-attr]
        async with asyncio.timeout(30):
            while "supervisor" in _who_listens(service):
                service.engine.queues_changed("big")
                await keen.of_type("queue")
        assert _who_listens(service) == {"admin"}
        lazy.socket._conn.protocol.resume_reading()  # type: ignore[union-attr]  # or it says goodbye for long


def _who_listens(service: Service) -> set[str]:
    """Those who are still told things."""
    hubs = [listener.__self__ for listener in service.engine._listeners if hasattr(listener, "__self__")]
    ours = next(each for each in hubs if isinstance(each, hub.Hub))
    return {str(each.viewer.identity.role) for each in ours._listeners if not each.ended}


@pytest.mark.parametrize("query", ["?after=x", "?after=-1", "?after=99999999999999999999", "?since=1"])
async def test_a_wrong_query_is_refused_before_the_upgrade(service: Service, query: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with listening(service, "admin", query):
            pass

    assert refused.value.status == 422


async def test_a_plain_request_is_told_to_upgrade(service: Service) -> None:
    answer = await service.ask("GET", "stream")

    assert 400 <= answer.status < 500
    assert answer.headers["Content-Type"].startswith("application/problem+json")
