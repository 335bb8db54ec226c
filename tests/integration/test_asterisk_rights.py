"""What the service may do with Asterisk over AMI and ARI, and what it may not: each thing is tried."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp
import pytest
from asterisk_of_tests import running_instance

from demo.sip.agent import SipAgent
from demo.sip.carrier import Carrier
from demo.sip.errors import RegistrationFailed
from dialplan.accounts import account_objects, body, ha1
from dialplan.security import ACCOUNT
from routing.local.asterisk.instance import AsteriskInstance

USED = {"CoreSettings", "DeviceStateList", "PJSIPQualify"}
# For these Asterisk knows no right: whoever has logged in may. Hence it listens to the service alone (acl.conf).
EVERYBODY_S = """
BridgeDestroy BridgeInfo BridgeKick BridgeList BridgeTechnologyList BridgeTechnologySuspend BridgeTechnologyUnsuspend
Challenge Events ListCommands Login Logoff Ping WaitEvent
"""
# These come with the one right that the three it uses have in common.
WITH_REPORTING = """
CoreShowChannelMap CoreShowChannels CoreStatus DBGet DBGetTree ExtensionState ExtensionStateList Getvar LoggerRotate
MailboxCount MailboxStatus PJSIPRegister PJSIPShowRegistrationsOutbound PJSIPUnregister PresenceState ShowDialPlan
Status
"""

FORBIDDEN = {
    "Command": {"Command": "core show version"},
    "GetConfig": {"Filename": "ari.conf"},
    "GetConfigJSON": {"Filename": "manager.conf"},
    "ListCategories": {"Filename": "ari.conf"},
    "CreateConfig": {"Filename": "mine.conf"},
    "UpdateConfig": {"SrcFilename": "ari.conf", "DstFilename": "ari.conf"},
    "Reload": {},
    "ModuleLoad": {"Module": "res_ari.so", "LoadType": "unload"},
    "ModuleCheck": {"Module": "res_ari.so"},
    "Originate": {"Channel": "PJSIP/1@carrier", "Application": "Hangup"},
    "Hangup": {"Channel": "/.*/"},
    "Redirect": {"Channel": "x", "Context": "x", "Exten": "x", "Priority": "1"},
    "Atxfer": {"Channel": "x", "Context": "x", "Exten": "x"},
    "BlindTransfer": {"Channel": "x", "Context": "x", "Exten": "x"},
    "Setvar": {"Variable": "x", "Value": "y"},
    "DBPut": {"Family": "registrar", "Key": "x", "Val": "y"},
    "DBDel": {"Family": "registrar", "Key": "x"},
    "DBDelTree": {"Family": "registrar"},
    "Filter": {"Operation": "Add", "Filter": "Event: Newchannel"},
    "UserEvent": {"UserEvent": "x"},
    "PJSIPShowEndpoints": {},
    "PJSIPShowAuths": {},
    "PJSIPShowContacts": {},
    "SendText": {"Channel": "x", "Message": "x"},
}


@pytest.fixture(scope="module")
def instance() -> Iterator[AsteriskInstance]:
    with running_instance("rights") as made:
        yield made


_ids = itertools.count(1)


@dataclass
class Manager:
    """A connection that has logged in."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, action: str, **fields: str) -> str:
        asked = f"ActionID: {next(_ids)}\r\n"
        lines = [f"Action: {action}", asked.strip(), *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        while not (told := await self.told()).startswith("Response:") or asked not in told:
            pass
        return told

    async def told(self) -> str:
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()


@contextlib.asynccontextmanager
async def logged_in(instance: AsteriskInstance, account: str) -> AsyncIterator[Manager]:
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.ports.ami)
    manager = Manager(reader, writer)
    assert b"Asterisk Call Manager" in await reader.readline()
    assert "Success" in await manager.ask("Login", Username=account, Secret=instance.ami.password)
    yield manager
    writer.close()
    await writer.wait_closed()


@pytest.fixture
async def ami(instance: AsteriskInstance) -> AsyncIterator[Manager]:
    async with logged_in(instance, instance.ami.username) as manager:
        yield manager


@pytest.fixture
async def firewall(instance: AsteriskInstance) -> AsyncIterator[Manager]:
    async with logged_in(instance, f"{instance.ami.username}{ACCOUNT}") as manager:
        yield manager


async def actions(manager: Manager) -> set[str]:
    told = await manager.ask("ListCommands")
    return {line.split(":")[0] for line in told.splitlines() if "(Priv:" in line}


async def test_the_ami_account_has_these_actions_and_no_others(ami: Manager) -> None:
    assert await actions(ami) == {*USED, *EVERYBODY_S.split(), *WITH_REPORTING.split()}


@pytest.mark.parametrize("action", FORBIDDEN)
async def test_each_action_that_changes_something_or_reads_files_is_refused(ami: Manager, action: str) -> None:
    told = await ami.ask(action, **FORBIDDEN[action])
    assert "Response: Error" in told
    assert "Permission denied" in told


async def test_each_action_the_service_uses_works(ami: Manager) -> None:
    assert "AsteriskVersion: 22" in await ami.ask("CoreSettings")
    assert "Response: Success" in await ami.ask("DeviceStateList")
    assert "Response: Success" in await ami.ask("PJSIPQualify", Endpoint="carrier")
    assert "Ping: Pong" in await ami.ask("Ping")


async def test_the_firewall_s_account_has_no_right_at_all(firewall: Manager) -> None:
    assert await actions(firewall) == set(EVERYBODY_S.split())


async def test_of_a_call_and_a_guess_each_account_hears_only_what_it_is_for(
    instance: AsteriskInstance, ami: Manager, firewall: Manager
) -> None:
    ports = instance.ports
    async with Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip)) as carrier:
        call = await carrier.phone("+4915112345678").call("600")
        await call.answered()
        await call.hangup()
    await make_account(instance, "1001")
    async with SipAgent("1001", "127.0.0.1", ports.sip, "a guess") as guesser:
        with pytest.raises(RegistrationFailed):
            await guesser.register()
    by_service, by_firewall = await asyncio.gather(heard(ami), heard(firewall))
    assert "DeviceStateChange" in by_service
    assert by_service <= {"DeviceStateChange", "PeerStatus", "FullyBooted", "Shutdown", "RTCPReceived"}
    assert by_firewall == {"ChallengeResponseFailed", "SuccessfulAuth"}


async def make_account(instance: AsteriskInstance, agent: str) -> None:
    async with aiohttp.ClientSession(headers=authorization(instance)) as http:
        for kind, name, fields in account_objects(agent, ha1(agent, "open sesame")):
            url = f"{instance.ari_url}/asterisk/config/dynamic/res_pjsip/{kind}/{name}"
            async with http.put(url, json=body(fields)) as answer:
                assert answer.status == 200


def authorization(instance: AsteriskInstance) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(instance.ari.username, instance.ari.password)}


async def heard(manager: Manager) -> set[str]:
    """The events there were, and within a second."""
    names = set()
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(1):
                names.add((await manager.told()).splitlines()[0].removeprefix("Event: "))
    return names


@pytest.mark.parametrize("path", ["recordings/stored", "sounds/x", "deviceStates", "mailboxes"])
async def test_parts_of_ari_that_are_not_used_are_not_there(instance: AsteriskInstance, path: str) -> None:
    async with aiohttp.ClientSession(headers=authorization(instance)) as http:
        async with http.get(f"{instance.ari_url}/channels") as answer:
            assert answer.status == 200
        async with http.get(f"{instance.ari_url}/{path}") as answer:
            assert answer.status == 404
