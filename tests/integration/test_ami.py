"""AMI against a real Asterisk with the rights our own manager user has: phones, version, restarts, wrong secret."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from asterisk_of_tests import instance_in

from demo.folder import enterable_folder
from demo.sip.agent import SipAgent
from dialplan.accounts import account_objects, ha1
from dialplan.ami.client import AmiWatch, AsteriskState, PhoneState
from dialplan.ari.client import AriClient
from dialplan.ari.models import ConfigTuple
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.system.ports import reserved
from routing.local.system.processes import Process

PASSWORD = "open sesame"


@contextlib.asynccontextmanager
async def asterisk() -> AsyncIterator["Host"]:
    """Configured, not started."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(enterable_folder("ami"))
        ports = stack.enter_context(reserved())
        made = instance_in(folder, ports)
        made.write_config()
        yield Host(made, stack)


@dataclass(frozen=True)
class Host:
    """An Asterisk to start and stop; what still runs at the end of a test is killed."""

    instance: AsteriskInstance
    stack: contextlib.AsyncExitStack

    async def start(self) -> Process:
        process = await self.instance.start()
        self.stack.push_async_callback(process.stop, signal.SIGKILL, patience=2)
        return process


class Watching:
    """An AmiWatch under way, and what it told."""

    def __init__(self, instance: AsteriskInstance, secret: str | None = None) -> None:
        login = instance.ami
        self.watch = AmiWatch("127.0.0.1", instance.ports.ami, login.username, secret or login.password)
        self.asterisk: list[AsteriskState] = []
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Watching"]:
        task = asyncio.create_task(self.watch.run(self._on_phone, self._on_asterisk))
        yield self
        task.cancel()
        await asyncio.wait([task])

    async def until(self, condition: Callable[[], bool], within: float = 10) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def phone(self, agent: str, state: PhoneState) -> None:
        await self.until(lambda: self.watch.phones.get(agent) == state)

    def _on_phone(self, _agent: str, _state: PhoneState) -> None:
        self._news.set()

    def _on_asterisk(self, state: AsteriskState, _detail: str) -> None:
        self.asterisk.append(state)
        self._news.set()


async def push_account(instance: AsteriskInstance, agent: str) -> None:
    async with AriClient(instance.ari_url, instance.ari.username, instance.ari.password) as ari:
        for kind, name, fields in account_objects(agent, ha1(agent, PASSWORD)):
            values = [ConfigTuple(attribute=key, value=value) for key, value in fields.items()]
            await ari.asterisk.update_object("res_pjsip", kind, name, fields=values)


def phone(instance: AsteriskInstance, agent: str) -> SipAgent:
    return SipAgent(agent, "127.0.0.1", instance.ports.sip, PASSWORD)


async def test_a_phone_is_reachable_busy_and_gone_as_it_registers_talks_and_leaves() -> None:
    async with asterisk() as host:
        await host.start()
        instance = host.instance
        await push_account(instance, "1001")
        async with Watching(instance).running() as seen, phone(instance, "1001") as agent:
            await seen.until(lambda: seen.watch.state == AsteriskState.BOOTED)
            assert seen.watch.version is not None
            assert seen.watch.version.startswith(instance.binary.version)
            await agent.register()
            await seen.phone("1001", PhoneState.REACHABLE)
            call = await agent.invite("600")
            await call.answered()
            await seen.phone("1001", PhoneState.BUSY)
            await call.hangup()
            await seen.phone("1001", PhoneState.REACHABLE)
            await agent.unregister()
            await seen.phone("1001", PhoneState.UNREACHABLE)


async def test_phones_that_registered_before_we_came_are_known() -> None:
    async with asterisk() as host:
        await host.start()
        instance = host.instance
        await push_account(instance, "1001")
        async with phone(instance, "1001") as agent:
            await agent.register()
            async with Watching(instance).running() as seen:
                await seen.phone("1001", PhoneState.REACHABLE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_after_asterisk_died_and_came_back_its_phones_are_asked_for_again(how: signal.Signals) -> None:
    async with asterisk() as host:
        process = await host.start()
        instance = host.instance
        await push_account(instance, "1001")
        async with Watching(instance).running() as seen, phone(instance, "1001") as agent:
            await seen.until(lambda: seen.watch.state == AsteriskState.BOOTED)
            await agent.register()
            await seen.phone("1001", PhoneState.REACHABLE)
            await process.stop(how, patience=5)
            await seen.until(lambda: seen.watch.state == AsteriskState.LOST)
            assert (AsteriskState.SHUTTING_DOWN in seen.asterisk) == (how == signal.SIGTERM)
            await host.start()
            await seen.until(lambda: seen.watch.state == AsteriskState.BOOTED)
            await push_account(instance, "1001")
            await agent.register()
            await seen.phone("1001", PhoneState.REACHABLE)


async def test_a_wrong_secret_is_a_clear_state() -> None:
    async with asterisk() as host:
        await host.start()
        instance = host.instance
        async with Watching(instance, secret="guessed").running() as seen:
            await seen.until(lambda: bool(seen.asterisk))
            assert seen.asterisk == [AsteriskState.REFUSED]
            assert seen.watch.detail == "Login: Authentication failed"
