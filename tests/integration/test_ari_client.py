"""The ARI client and its events against a real Asterisk: what it was written for, and ARI's traps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest
import uvloop
from asterisk_of_tests import running_instance

from demo.sip.agent import SipAgent
from dialplan.accounts import account_objects, ha1
from dialplan.ari import generate, models
from dialplan.ari.client import AriClient
from dialplan.ari.connection import Alone, AriConnection, Connected, Disconnected, Snapshot
from dialplan.ari.errors import AppReplaced, AriConflict, AriError, AriNotFound
from dialplan.words import APP
from routing.local.asterisk.instance import AsteriskInstance

CALLER = "Local/600@from-carrier"  # its far end enters our application as a call from the carrier does
T = TypeVar("T")


@pytest.fixture(scope="module")
def instance() -> Iterator[AsteriskInstance]:
    with running_instance("ari") as made:
        yield made


@pytest.fixture
async def ari(instance: AsteriskInstance) -> AsyncIterator[AriClient]:
    async with AriClient(instance.ari_url, instance.ari.username, instance.ari.password) as client:
        yield client
        for channel in await client.channels.list():
            with contextlib.suppress(AriNotFound):
                await client.channels.hangup(channel.id)


@contextlib.asynccontextmanager
async def running(ari: AriClient) -> AsyncIterator[AriConnection]:
    connection = AriConnection(ari, APP, Alone())
    task = asyncio.create_task(connection.run())
    yield connection
    task.cancel()
    await asyncio.wait([task])


async def wait_for(connection: AriConnection, kind: type[T], within: float = 5) -> T:
    """The next item of this kind; what comes before is not of interest."""
    async with asyncio.timeout(within):
        async for item in connection:
            if isinstance(item, kind):
                return item
    raise AssertionError("the connection ended")


def new_id() -> str:
    return uuid4().hex


async def call_in(ari: AriClient, connection: AriConnection) -> models.Channel:
    """A call that came in through the dialplan, as our application sees it."""
    await ari.channels.originate(endpoint=CALLER, context="agents", extension="600", priority=1)
    while (start := await wait_for(connection, models.StasisStart)).channel.dialplan.context != "from-carrier":
        pass
    return start.channel


async def create(ari: AriClient, channel_id: str, endpoint: str = CALLER) -> models.Channel:
    return await ari.channels.create(endpoint=endpoint, app=APP, channel_id=channel_id)


def test_the_generated_files_are_those_of_this_asterisk(instance: AsteriskInstance, tmp_path: Path) -> None:
    committed = Path(generate.__file__).parent
    if f"Asterisk {instance.binary.version} " not in (committed / "models.py").read_text():
        pytest.skip("the models are of another version")
    generate.main(instance.binary.data / "rest-api", instance.binary.version, tmp_path)
    for name in ("models.py", "resources.py"):
        assert (tmp_path / name).read_text() == (committed / name).read_text()


def test_it_works_on_uvloop(instance: AsteriskInstance) -> None:
    async def talk() -> str:
        login = instance.ari
        async with AriClient(instance.ari_url, login.username, login.password) as ari, running(ari) as events:
            connected = await wait_for(events, Connected)
            return connected.snapshot.application.name

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(talk()) == APP


async def test_a_snapshot_names_every_live_channel_and_what_it_is_for(ari: AriClient) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        channel = await call_in(ari, connection)
        await ari.channels.set_channel_var(channel.id, variable="INTERACTION_ID", value="i1")
    async with running(ari) as connection:
        snapshot = (await wait_for(connection, Connected)).snapshot
    assert channel.id in snapshot.application.channel_ids
    found = next(each for each in snapshot.channels if each.id == channel.id)
    assert found.channelvars == {"INTERACTION_ID": "i1"}
    assert found.dialplan.app_data.startswith(f"{APP},call,600,")


async def test_a_caller_has_no_destroyed_event_until_subscribed_which_outlives_a_reconnect(
    ari: AriClient,
) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        plain = await call_in(ari, connection)
        await ari.channels.hangup(plain.id)
        await wait_for(connection, models.StasisEnd)
        watched = await call_in(ari, connection)
        await ari.applications.subscribe(APP, event_source=f"channel:{watched.id}")
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        await ari.channels.hangup(watched.id)
        assert (await wait_for(connection, models.ChannelDestroyed)).channel.id == watched.id


async def test_of_eight_creates_at_once_one_creates_and_seven_adopt(ari: AriClient) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        name = new_id()
        made = await asyncio.gather(*(ari.create_or_adopt(name, create(ari, name)) for _ in range(8)))
        assert sorted(each.created for each in made) == [False] * 7 + [True]
        assert {each.channel.id for each in made} == {name}


async def test_a_stale_409_is_not_taken_for_a_channel(ari: AriClient) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        name = new_id()
        await create(ari, name)
        with pytest.raises(AriConflict):
            await create(ari, name)  # the true one, after which this connection may lie
        with pytest.raises(AriError) as caught:
            await ari.create_or_adopt(new_id(), create(ari, new_id(), endpoint="PJSIP/nobody"))
        assert caught.value.status == 500


async def test_a_phone_that_is_not_registered_fails_at_create(ari: AriClient) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        with pytest.raises(AriError) as caught:
            await create(ari, new_id(), endpoint="PJSIP/1099")
        assert (caught.value.status, caught.value.message) == (500, "Allocation failed")


@contextlib.asynccontextmanager
async def phone(instance: AsteriskInstance, ari: AriClient) -> AsyncIterator[SipAgent]:
    """1001's, registered."""
    for kind, name, fields in account_objects("1001", ha1("1001", "open sesame")):
        values = [models.ConfigTuple(attribute=key, value=value) for key, value in fields.items()]
        await ari.asterisk.update_object("res_pjsip", kind, name, fields=values)
    async with SipAgent("1001", "127.0.0.1", instance.ports.sip, "open sesame") as agent:
        await agent.register()
        yield agent


async def test_after_its_stasis_start_a_created_channel_can_be_dialled(
    instance: AsteriskInstance, ari: AriClient
) -> None:
    async with running(ari) as connection, phone(instance, ari) as agent:
        await wait_for(connection, Connected)
        for rounds in range(1, 11):
            name = new_id()
            await create(ari, name, endpoint="PJSIP/1001")
            assert (await wait_for(connection, models.StasisStart)).channel.id == name
            await ari.channels.dial(name)
            await agent.called(rounds)
            await ari.channels.hangup(name)
            await wait_for(connection, models.ChannelDestroyed)
            with pytest.raises(AriNotFound):
                await ari.channels.dial(name)


async def test_two_dials_at_once_ring_the_phone_once(instance: AsteriskInstance, ari: AriClient) -> None:
    async with running(ari) as connection, phone(instance, ari) as agent:
        await wait_for(connection, Connected)
        for rounds in range(1, 11):
            name = new_id()
            await create(ari, name, endpoint="PJSIP/1001")
            await wait_for(connection, models.StasisStart)
            await asyncio.gather(*(ari.channels.dial(name) for _ in range(2)), return_exceptions=True)
            await agent.called(rounds)
            with contextlib.suppress(AriNotFound):
                await ari.channels.hangup(name)
            await wait_for(connection, models.ChannelDestroyed)
        assert len(agent.invites) == 10


async def test_a_missing_sound_ends_as_failed(ari: AriClient) -> None:
    async with running(ari) as connection:
        await wait_for(connection, Connected)
        channel = await call_in(ari, connection)
        await ari.channels.play(channel.id, media="sound:there-is-none", playback_id="p1")
        playback = (await wait_for(connection, models.PlaybackFinished)).playback
        assert (playback.id, playback.state) == ("p1", "failed")


class Replaced(Alone):
    """Has lost the shard, and is not told."""

    valid = False

    def doubt(self) -> None:
        self.doubtful = True

    async def confirmed(self) -> bool:
        return not hasattr(self, "doubtful")


async def test_a_second_owner_of_the_application_ends_the_first(ari: AriClient) -> None:
    first = AriConnection(ari, APP, Replaced())
    task = asyncio.create_task(first.run())
    await wait_for(first, Connected)
    async with running(ari) as second:
        await wait_for(second, Connected)
        with pytest.raises(AppReplaced):
            await asyncio.wait_for(task, 5)
        assert not first.connected
        assert second.connected


async def test_accounts_are_pushed_and_removed_without_files(ari: AriClient) -> None:
    account = ("res_pjsip", "aor", "a 1/x")
    fields = [models.ConfigTuple(attribute="max_contacts", value="1")]
    assert fields[0] in await ari.asterisk.update_object(*account, fields=fields)
    assert fields[0] in await ari.asterisk.get_object(*account)
    await ari.asterisk.delete_object(*account)
    with pytest.raises(AriNotFound):
        await ari.asterisk.get_object(*account)


async def test_a_request_too_large_for_asterisk_is_an_error_not_a_wait(ari: AriClient) -> None:
    with pytest.raises(AriError):
        await ari.channels.originate(endpoint=CALLER, app=APP, variables={"X": "x" * 50_000})


class Wire:
    """A TCP relay in front of Asterisk whose existing connections can be cut or can fall silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._frozen: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Future[list[None]]] = set()

    @contextlib.asynccontextmanager
    async def relaying(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()
        self.cut()
        await asyncio.wait(self._relays)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """As when the cable is pulled: nothing arrives, nobody says good-bye."""
        self._frozen.update(self._writers)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        both = asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._relays.add(both)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if writer not in self._frozen:
                    writer.write(data)
        if writer not in self._frozen:
            writer.close()


@contextlib.asynccontextmanager
async def over_a_wire(instance: AsteriskInstance) -> AsyncIterator[tuple[AriClient, AriConnection, Wire]]:
    wire, login = Wire(instance.ports.ari), instance.ari
    async with (
        wire.relaying() as port,
        AriClient(f"http://127.0.0.1:{port}/ari", login.username, login.password) as ari,
        running(ari) as connection,
    ):
        await wait_for(connection, Connected)
        yield ari, connection, wire


def named(snapshot: Snapshot) -> set[str]:
    return {channel.id for channel in snapshot.channels}


async def test_a_cut_connection_is_back_within_a_second_and_knows_what_is_left(
    instance: AsteriskInstance, ari: AriClient
) -> None:
    async with over_a_wire(instance) as (_, connection, wire):
        stays, goes = await call_in(ari, connection), await call_in(ari, connection)
        started = asyncio.get_running_loop().time()
        wire.cut()
        await ari.channels.hangup(goes.id)
        assert isinstance(await wait_for(connection, Disconnected), Disconnected)
        snapshot = (await wait_for(connection, Connected)).snapshot
        assert asyncio.get_running_loop().time() - started < 1
        assert stays.id in named(snapshot)
        assert goes.id not in named(snapshot)


async def test_a_half_open_connection_is_found_within_five_seconds(instance: AsteriskInstance) -> None:
    async with over_a_wire(instance) as (_, connection, wire):
        started = asyncio.get_running_loop().time()
        wire.freeze()
        assert isinstance(await wait_for(connection, Connected, within=10), Connected)
        assert asyncio.get_running_loop().time() - started < 5
        assert connection.health.connects == 2
