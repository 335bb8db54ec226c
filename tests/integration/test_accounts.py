"""Agents' SIP accounts in Asterisk are as their rows say, whatever changes while they are brought there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from api_service import Service

from dialplan.ari.client import AriClient
from dialplan.phones import AsteriskPhones
from routing import main
from routing.core.agents import Availability, ha1
from routing.core.errors import Unavailable
from routing.runtime.settings import Settings
from routing.store import agents

SECRET = {"sip_password": "another long one"}


async def has_account(service: Service, *names: str) -> None:
    for name in names:
        assert (await service.ask("PUT", f"agents/{name}", json=SECRET)).status == 200


async def test_asterisk_is_given_the_accounts_it_lacks_those_of_agents_at_work_first(service: Service) -> None:
    accounts, live = service.engine.agents, service.phones.accounts
    await has_account(service, "1001", "1002", "1003", "1004")
    await service.ask("PUT", "agents/1005", json={})
    await accounts.set_availability("1003", Availability.NOT_READY, "lunch")
    assert await accounts.accounts() == ([], ["1003", "1001", "1002", "1004"])
    live.clear()
    await accounts.settle("1002")
    missing, there = await accounts.accounts()
    await accounts.settle_all(missing)
    assert (missing, there) == (["1003", "1001", "1004"], ["1002"])
    assert set(live) == {"1001", "1002", "1003", "1004"}


@pytest.mark.parametrize("new", ["a newer long one", None])
async def test_a_password_changed_after_the_accounts_were_looked_up_is_not_undone(
    service: Service, new: str | None
) -> None:
    await has_account(service, "1001")
    service.phones.accounts.clear()
    missing, _ = await service.engine.agents.accounts()
    await service.ask("PUT", "agents/1001", json={"sip_password": new})
    await service.engine.agents.settle_all(missing)
    assert service.phones.accounts == ({"1001": ha1("1001", new)} if new else {})


def meanwhile(work: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[None]]:
    """Begins it, once, and gives it the time to come to an end, if it can before us."""
    begun: list[asyncio.Future[Any]] = []

    async def begin() -> None:
        if not begun:
            begun.append(asyncio.ensure_future(work()))
            await asyncio.wait(begun, timeout=0.3)

    return begin


async def test_an_account_does_not_survive_its_agent_who_is_deleted_while_it_is_pushed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await has_account(service, "1001")
    provision, delete = service.phones.provision, asyncio.Event()

    async def deleted() -> None:
        assert (await service.ask("DELETE", "agents/1001")).status == 204
        delete.set()

    begin = meanwhile(deleted)

    async def slow(agent: str, ha1: str) -> None:
        await begin()
        await provision(agent, ha1)

    monkeypatch.setattr(service.phones, "provision", slow)
    await service.engine.agents.settle("1001")
    await asyncio.wait_for(delete.wait(), 5)
    assert service.phones.accounts == {}


async def test_an_account_does_not_come_back_between_its_withdrawal_and_the_agent_s_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await has_account(service, "1001")
    withdraw, settled = service.phones.withdraw_account, asyncio.Event()

    async def settle() -> None:
        await service.engine.agents.settle("1001")
        settled.set()

    begin = meanwhile(settle)

    async def slow(agent: str) -> None:
        await withdraw(agent)
        await begin()

    monkeypatch.setattr(service.phones, "withdraw_account", slow)
    assert (await service.ask("DELETE", "agents/1001")).status == 204
    await asyncio.wait_for(settled.wait(), 5)
    assert service.phones.accounts == {}


async def test_without_asterisk_no_agent_is_deleted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await has_account(service, "1001")

    async def away(_agent: str) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(service.phones, "withdraw_account", away)
        assert (await service.ask("DELETE", "agents/1001")).status == 503
    assert await agents.sip_ha1(service.engine.pool, "1001")
    assert (await service.ask("DELETE", "agents/1001")).status == 204


@pytest.fixture
async def keeping(service: Service, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[main.Service]:
    """The service's own part that keeps the accounts, with the telephones of the tests."""
    monkeypatch.setattr(main, "OLDER_AGAIN", 0.05)
    monkeypatch.setattr(main, "AT_LEISURE", 0.001)
    settings = Settings.model_validate({"ari_password": "x" * 16, "ami_password": "x" * 16})
    ari = AriClient("http://127.0.0.1:1/ari", "x", "x")
    made = main.Service(settings, service.engine.pool, ari, AsteriskPhones(ari), service.engine)
    yield made
    await ari.close()


async def while_it_keeps(keeping: main.Service, condition: Callable[[], bool]) -> None:
    task = asyncio.create_task(keeping._keep_accounts())
    keeping._in_contact()
    try:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110  # what is watched are plain dicts
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_an_account_that_lost_its_right_while_we_were_away_ends_and_the_trunk_stays(
    service: Service, keeping: main.Service
) -> None:
    """Asterisk ran on; `apply` or another process changed the rows."""
    live = service.phones.accounts
    await has_account(service, "1001", "1002", "1003")
    live["provider"] = "not an agent"
    stored = await agents.get(service.engine.pool, "1001")
    await agents.put(service.engine.pool, "1001", stored.settings, {"sip_ha1": None})
    await agents.delete(service.engine.pool, "1002")
    await while_it_keeps(keeping, lambda: len(live) == 2)
    assert set(live) == {"1003", "provider"}
    assert await service.engine.agents.accounts() == ([], ["1003"])


async def test_one_account_that_cannot_be_settled_holds_up_no_other_and_is_tried_again(
    service: Service, keeping: main.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await has_account(service, "1001", "1002", "1003")
    tried: list[str] = []

    async def provision(agent: str, ha1: str) -> None:
        tried.append(agent)
        if agent == "1001" and tried.count(agent) < 3:
            raise Unavailable

    monkeypatch.setattr(service.phones, "provision", provision)
    await while_it_keeps(keeping, lambda: tried.count("1001") == 3)
    assert tried == ["1001", "1002", "1003", "1001", "1001"]
