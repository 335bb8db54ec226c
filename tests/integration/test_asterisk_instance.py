"""A real Asterisk as `up` starts it: configuration, dialplan, prompts and accounts, heard at the SIP far end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from asterisk_of_tests import running_instance

from demo.sip.agent import SipAgent
from demo.sip.carrier import Carrier
from demo.sip.errors import RegistrationFailed, SipError
from demo.sip.policy import reject
from dialplan import words
from dialplan.accounts import account_objects, body, ha1
from ivr.prompts import media
from routing.local.asterisk import prompts
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.system.credentials import Login
from routing.local.system.errors import SetupError

CUSTOMER = "+4915112345678"


@pytest.fixture(scope="module")
def instance() -> Iterator[AsteriskInstance]:
    """Configured and running; the folder is one an unprivileged account can enter."""
    with running_instance("asterisk") as made:
        yield made


class Ari:
    """Just enough of ARI to be the service."""

    def __init__(self, instance: AsteriskInstance, session: aiohttp.ClientSession) -> None:
        self._url, self._session = instance.ari_url, session

    async def ask(self, method: str, path: str, **json: Any) -> Any:
        async with self._session.request(method, self._url + path, json=json or None) as response:
            assert response.status < 300, (method, path, response.status, await response.text())
            return await response.json() if response.status == 200 else None

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self._session.ws_connect(f"{self._url}/events?app={words.APP}") as socket:
            yield socket


async def event(socket: aiohttp.ClientWebSocketResponse, kind: str, within: float = 8) -> dict[str, Any]:
    async with asyncio.timeout(within):
        while True:
            message: dict[str, Any] = await socket.receive_json()
            if message["type"] == kind:
                return message


@pytest.fixture
async def ari(instance: AsteriskInstance) -> AsyncIterator[Ari]:
    auth = aiohttp.encode_basic_auth(instance.ari.username, instance.ari.password)
    async with aiohttp.ClientSession(headers={"Authorization": auth}) as session:
        yield Ari(instance, session)


@pytest.fixture
async def carrier(instance: AsteriskInstance) -> AsyncIterator[Carrier]:
    ports = instance.ports
    async with Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip)) as carrier:
        yield carrier


async def test_it_starts_without_a_warning_and_is_found_again(instance: AsteriskInstance) -> None:
    log = instance.log.read_text()
    assert "ERROR" not in log
    assert "WARNING" not in log
    found = instance.adopt()
    assert found is not None
    assert found.alive
    found.close()


async def test_a_second_one_on_the_same_ports_is_refused_with_the_reason(instance: AsteriskInstance) -> None:
    other = AsteriskInstance(
        home=instance.home.with_name("other"),
        binary=instance.binary,
        sounds=instance.sounds,
        ports=instance.ports,
        ari=Login(username="ringback", password="another"),
        ami=instance.ami,
        carrier=instance.carrier,
    )
    other.write_config()
    with pytest.raises(SetupError, match="another Asterisk"):
        await other.start()
    assert other.adopt() is None


async def test_the_service_learns_who_calls_which_number(ari: Ari, carrier: Carrier) -> None:
    async with ari.events() as events:
        call = await carrier.phone(CUSTOMER).call("600", display='A, "B"')
        start = await event(events, "StasisStart")
        assert words.parse_arrival(start["args"]) == words.Arrival("600", CUSTOMER, withheld=False)
        await ari.ask("POST", f"/channels/{start['channel']['id']}/answer")
        await call.answered()
        await ari.ask("DELETE", f"/channels/{start['channel']['id']}")
        await call.ended()


async def test_a_withheld_number_stays_withheld(ari: Ari, carrier: Carrier) -> None:
    async with ari.events() as events:
        call = await carrier.phone(CUSTOMER).call("600", anonymous=True)
        start = await event(events, "StasisStart")
        assert words.parse_arrival(start["args"]) == words.Arrival("600", None, withheld=True)
        await ari.ask("DELETE", f"/channels/{start['channel']['id']}")
        await call.final()


async def test_a_number_sent_for_the_carrier_only_counts_as_withheld(ari: Ari, carrier: Carrier) -> None:
    async with ari.events() as events:
        asserted = {"P-Asserted-Identity": f"<sip:{CUSTOMER}@127.0.0.1>", "Privacy": "id"}
        await carrier.phone(CUSTOMER).call("600", headers=asserted)
        start = await event(events, "StasisStart")
        assert words.parse_arrival(start["args"]) == words.Arrival("600", None, withheld=True)
        await ari.ask("DELETE", f"/channels/{start['channel']['id']}")


async def test_the_carrier_may_assert_another_number_and_no_character_of_it_does_harm(
    ari: Ari, carrier: Carrier
) -> None:
    async with ari.events() as events:
        for user, caller in (("+49301234,$x", None), ("+49301234;npdi;rn=+4912", "+49301234")):
            asserted = {"P-Asserted-Identity": f'"x" <sip:{user}@127.0.0.1>'}
            await carrier.phone(CUSTOMER).call("+4930555100", headers=asserted)
            start = await event(events, "StasisStart")
            assert len(start["args"]) == 5 and start["args"][:2] == [words.ENTRY, "%2B4930555100"]
            assert words.parse_arrival(start["args"]) == words.Arrival("+4930555100", caller, withheld=False)
            await ari.ask("DELETE", f"/channels/{start['channel']['id']}")


async def test_a_number_the_service_does_not_know_is_refused_with_404(ari: Ari, carrier: Carrier) -> None:
    async with ari.events() as events:
        call = await carrier.phone(CUSTOMER).call("999")
        start = await event(events, "StasisStart")
        await ari.ask("DELETE", f"/channels/{start['channel']['id']}?reason_code={words.UNKNOWN_NUMBER}")
        assert await call.final() == 404


async def test_while_the_service_is_down_callers_hear_music_until_it_is_back(ari: Ari, carrier: Carrier) -> None:
    call = await carrier.phone(CUSTOMER).call("600")
    await call.answered()
    await call.hear(prompts.TONES["music"])
    async with ari.events() as events:
        start = await event(events, "StasisStart")
        assert words.parse_arrival(start["args"]).dialled == "600"
        await ari.ask("DELETE", f"/channels/{start['channel']['id']}")
        await call.ended()


async def test_a_caller_the_service_hands_back_hears_music_and_comes_again(ari: Ari, carrier: Carrier) -> None:
    async with ari.events() as events:
        call = await carrier.phone(CUSTOMER).call("600")
        channel = (await event(events, "StasisStart"))["channel"]["id"]
        await ari.ask("POST", f"/channels/{channel}/variable?variable={words.INTERACTION_ID}&value=i1")
        await ari.ask("POST", f"/channels/{channel}/continue")
        await call.answered()
        await call.hear(prompts.TONES["music"])
        again = (await event(events, "StasisStart"))["channel"]
        assert (again["id"], again["channelvars"][words.INTERACTION_ID]) == (channel, "i1")
        await ari.ask("DELETE", f"/channels/{channel}")
        await call.ended()


async def test_prompts_and_digits_are_heard_in_their_order(ari: Ari, carrier: Carrier) -> None:
    said = ("confirm-number", "digits:+49", "number:3", "confirm-keys")
    async with ari.events() as events:
        call = await carrier.phone(CUSTOMER).call("600")
        channel = (await event(events, "StasisStart"))["channel"]["id"]
        await ari.ask("POST", f"/channels/{channel}/answer")
        await call.answered()
        listening = asyncio.gather(
            *(call.hear(prompts.TONES[name]) for name in _HEARD),
        )
        await asyncio.sleep(0)  # let the listeners begin before the sound does
        await ari.ask("POST", f"/channels/{channel}/play?media={','.join(map(quote, media(said)))}")
        heard = await listening
        assert heard == sorted(heard)
        await ari.ask("DELETE", f"/channels/{channel}")
        await call.ended()


_HEARD = ("confirm-number", "digits:+", "digits:4", "digits:9", "digits:3", "confirm-keys")


async def test_an_account_pushed_through_ari_registers_and_reaches_no_one(
    instance: AsteriskInstance, ari: Ari
) -> None:
    for kind, name, fields in account_objects("1001", ha1("1001", "open sesame")):
        await ari.ask("PUT", f"/asterisk/config/dynamic/res_pjsip/{kind}/{name}", **body(fields))
    server = ("127.0.0.1", instance.ports.sip)
    async with SipAgent("1001", *server, "wrong") as thief:
        with pytest.raises(SipError):
            await thief.register()
    async with SipAgent("1001", *server, "open sesame") as phone:
        await phone.register()
        call = await phone.invite("112")
        await call.answered()
        await call.hear(prompts.TONES["agents-no-dial"])
        await call.ended()
    assert "ERROR" not in instance.log.read_text()


async def test_strangers_and_wrong_passwords_leave_no_line_in_the_log(instance: AsteriskInstance, ari: Ari) -> None:
    """From an address that is not the trunk's."""
    for kind, name, fields in account_objects("1001", ha1("1001", "open sesame")):
        await ari.ask("PUT", f"/asterisk/config/dynamic/res_pjsip/{kind}/{name}", **body(fields))
    before = instance.log.stat().st_size
    for user in ("nobody", "1001"):
        server = ("127.0.0.1", instance.ports.sip)
        async with SipAgent(user, *server, "a wrong one", local_host="127.0.0.2") as stranger:
            for _ in range(20):
                with pytest.raises(RegistrationFailed):
                    await stranger.register()
    assert instance.log.read_text()[before:] == ""
    assert instance.log.stat().st_mode & 0o007 == 0


async def test_a_customer_is_dialled_with_plus_and_sees_the_number_they_had_dialled(
    ari: Ari, carrier: Carrier
) -> None:
    customer = carrier.phone(CUSTOMER, reject(486))
    async with ari.events() as events:
        endpoint = quote(words.dial_string(CUSTOMER), safe="")
        create = f"/channels/create?endpoint={endpoint}&app={words.APP}&appArgs=leg&channelId=leg-1"
        await ari.ask("POST", create, variables={words.FROM_NUMBER: "+4930555100"})
        with pytest.raises(words.NotACall):
            words.parse_arrival((await event(events, "StasisStart"))["args"])
        await ari.ask("POST", "/channels/leg-1/dial?timeout=20")
        call = await customer.incoming()
        assert (call.from_user, call.to_user) == ("+4930555100", CUSTOMER)
        assert (await event(events, "ChannelDestroyed"))["tech_cause"] == 486


async def test_our_own_user_may_not_run_commands_over_ami(instance: AsteriskInstance) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.ports.ami)
    login = f"Action: Login\r\nUsername: {instance.ami.username}\r\nSecret: {instance.ami.password}\r\n\r\n"
    writer.write(login.encode() + b"Action: Command\r\nCommand: core show version\r\n\r\n")
    assert b"Permission denied" in await asyncio.wait_for(reader.readuntil(b"denied\r\n"), 5)
    writer.close()
    await writer.wait_closed()
