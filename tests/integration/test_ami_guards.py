"""What AMI does to us when it misbehaves, with panoramisk in between: a server that lies, hangs and vanishes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from dialplan.ami import client, session
from dialplan.ami.client import AmiWatch, AsteriskState, PhoneState, phone_state
from dialplan.ami.session import AmiSession

Fields = dict[str, str]
SUCCESS = {"Response": "Success"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PING_EVERY", 0.03)
    monkeypatch.setattr(client, "RETRY_LOST", 0.02)
    monkeypatch.setattr(session, "ANSWER_WITHIN", 0.1)


class Asterisk:
    """Speaks AMI; a test may replace an answer in `answers`, make it `mute` or its lists `endless`, and see what was
    asked in `asked`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.connections = 0
        self.mute = False
        self.endless = False
        self.writers: list[asyncio.StreamWriter] = []
        self.answers: dict[str, Fields] = {"Challenge": {**SUCCESS, "Challenge": "123"}}
        self.answers["CoreSettings"] = {**SUCCESS, "AsteriskVersion": "22.10.1"}
        self.devices = {"PJSIP/1001": "NOT_INUSE", "Stasis:x": "INUSE"}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()
        for writer in self.writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                asked = dict(line.split(": ", 1) for line in lines)
                self.asked.append(asked["Action"])
                if not self.mute:
                    self._answer(writer, asked)

    def _answer(self, writer: asyncio.StreamWriter, asked: Fields) -> None:
        action, own = asked["Action"], {"ActionID": asked["ActionID"]}
        answer = self.answers.get(action, SUCCESS)
        send(writer, {**answer, **own})
        if answer["Response"] != "Success":
            return
        if action == "Login":
            send(writer, {"Event": "FullyBooted"})
        if action == "DeviceStateList":
            for device, state in self.devices.items():
                send(writer, {"Event": "DeviceStateChange", "Device": device, "State": state, **own})
            if not self.endless:
                send(writer, {"Event": "DeviceStateListComplete", **own})

    def say(self, **fields: str) -> None:
        send(self.writers[-1], fields)


def send(writer: asyncio.StreamWriter, fields: Fields) -> None:
    writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")


class Watching:
    """An AmiWatch under way, and what it told."""

    def __init__(self, watch: AmiWatch) -> None:
        self.watch = watch
        self.phones: list[tuple[str, PhoneState]] = []
        self.asterisk: list[AsteriskState] = []
        self.raising = False
        self.then: Callable[[], None] = lambda: None
        """What is done when Asterisk's state is told."""

    def on_phone(self, agent: str, state: PhoneState) -> None:
        self.phones.append((agent, state))
        if self.raising:
            raise RuntimeError("a listener's mistake")

    def on_asterisk(self, state: AsteriskState, _detail: str) -> None:
        self.asterisk.append(state)
        self.then()


@asynccontextmanager
async def watching(asterisk: Asterisk) -> AsyncIterator[Watching]:
    async with asterisk.serving() as port:
        seen = Watching(AmiWatch("127.0.0.1", port, "ringback", "secret"))
        task = asyncio.create_task(seen.watch.run(seen.on_phone, seen.on_asterisk))
        yield seen
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what is watched are plain lists
            await asyncio.sleep(0.002)


async def ask_for(seen: Watching, phone: str) -> None:
    seen.watch.new_phones([phone])
    await seen.watch.ask_phones()


async def test_it_tells_the_version_and_which_phones_are_there() -> None:
    async with watching(Asterisk()) as seen:
        await until(lambda: bool(seen.phones))
        assert seen.asterisk == [AsteriskState.BOOTED]
        assert seen.watch.version == "22.10.1"
        assert seen.phones == [("1001", PhoneState.REACHABLE)]


async def test_a_phone_lost_while_it_rings_is_unreachable_though_its_call_goes_on() -> None:
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        asterisk.say(Event="DeviceStateChange", Device="PJSIP/1001", State="RINGING")
        asterisk.say(Event="PeerStatus", Peer="PJSIP/1001", PeerStatus="Unreachable")
        asterisk.say(Event="DeviceStateChange", Device="PJSIP/1001", State="INUSE")
        asterisk.say(Event="PeerStatus", Peer="PJSIP/1001", PeerStatus="Reachable")
        await until(lambda: len(seen.phones) == 4)
        states = [state for _, state in seen.phones]
        assert states == [PhoneState.REACHABLE, PhoneState.BUSY, PhoneState.UNREACHABLE, PhoneState.BUSY]


async def test_phones_it_is_to_ask_for_while_it_still_reads_the_list_are_asked_for_then() -> None:
    """Else they are lost until Asterisk gets round to them by itself, which takes up to ten seconds."""
    asterisk, asking = Asterisk(), set[asyncio.Task[None]]()
    async with watching(asterisk) as seen:
        seen.then = lambda: asking.add(asyncio.create_task(ask_for(seen, "1001")))
        await until(lambda: asterisk.asked.count("Ping") == 2)
    assert asterisk.asked.count("PJSIPQualify") == 1


async def test_who_asks_for_phones_knows_afterwards_how_they_are() -> None:
    """Not how the Asterisk before knew them: an offer made upon that would be taken back a moment later."""
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        asterisk.devices = {f"PJSIP/{n}": "NOT_INUSE" for n in range(2000, 2400)}
        await ask_for(seen, "2000")
        assert seen.watch.phones == {"1001": "unreachable", **{str(n): "reachable" for n in range(2000, 2400)}}


async def test_a_list_that_does_not_end_has_us_log_in_again_and_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end may come late, and would be taken for the end of the next list."""
    monkeypatch.setattr(client, "LIST_WITHIN", 0.05)
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        asterisk.endless = True
        asking = asyncio.create_task(ask_for(seen, "1001"))
        await until(lambda: AsteriskState.LOST in seen.asterisk)
        asterisk.endless = False
        await asking
        assert asterisk.asked[-2:] == ["PJSIPQualify", "DeviceStateList"]
        assert (asterisk.asked.count("PJSIPQualify"), asterisk.connections) == (2, 2)
        assert seen.phones == [("1001", PhoneState.REACHABLE)]


async def test_phones_are_asked_for_once_the_list_is_not_refused_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_REFUSED", 0.02)
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        asterisk.answers["DeviceStateList"] = {"Response": "Error", "Message": "Permission denied"}
        asking = asyncio.create_task(ask_for(seen, "1001"))
        await until(lambda: AsteriskState.REFUSED in seen.asterisk)
        del asterisk.answers["DeviceStateList"]
        asterisk.asked.clear()
        await asking
        assert asterisk.asked[-2:] == ["PJSIPQualify", "DeviceStateList"]


async def test_it_never_asks_for_anything_that_moves_a_call() -> None:
    asterisk = Asterisk()
    async with watching(asterisk):
        await until(lambda: "Ping" in asterisk.asked)
    known = {"Challenge", "Login", "CoreSettings", "DeviceStateList", "Ping"}
    assert set(asterisk.asked) == known


async def test_a_phone_is_told_of_only_when_it_changed() -> None:
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        for state in ("NOT_INUSE", "INUSE", "RINGING", "UNAVAILABLE"):
            asterisk.say(Event="DeviceStateChange", Device="PJSIP/1001", State=state)
        await until(lambda: len(seen.phones) == 3)
    assert [state for _, state in seen.phones] == ["reachable", "busy", "unreachable"]


async def test_a_mute_asterisk_is_noticed() -> None:
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: seen.watch.last_pong is not None)
        asterisk.mute = True
        await until(lambda: AsteriskState.LOST in seen.asterisk)
        asterisk.mute = False
        await until(lambda: seen.asterisk[-1] == AsteriskState.BOOTED)


async def test_an_asterisk_that_accepts_and_says_nothing_is_noticed() -> None:
    asterisk = Asterisk()
    asterisk.mute = True
    async with watching(asterisk) as seen:
        await until(lambda: asterisk.connections >= 2)
        assert seen.asterisk == [AsteriskState.LOST]
        assert seen.watch.detail == "no answer to Challenge"


async def test_nothing_is_replayed_after_a_reconnect() -> None:
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: seen.watch.last_pong is not None)
        asterisk.mute = True
        asterisk.asked.clear()
        await until(lambda: "Ping" in asterisk.asked)  # unanswered: panoramisk would keep and repeat it
        asterisk.writers[-1].close()
        asterisk.mute = False
        await until(lambda: asterisk.connections == 2 and asterisk.asked.count("Ping") == 2)
    start = asterisk.asked.index("Challenge")
    assert asterisk.asked[start:][:2] == ["Challenge", "Login"]
    assert asterisk.asked[start:].count("DeviceStateList") == 1


async def test_a_wrong_secret_is_told_and_not_tried_again_at_once() -> None:
    asterisk = Asterisk()
    asterisk.answers["Login"] = {"Response": "Error", "Message": "Authentication failed"}
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.asterisk))
        await asyncio.sleep(0.1)  # five times the pause after a loss
        assert seen.asterisk == [AsteriskState.REFUSED]
        assert seen.watch.detail == "Login: Authentication failed"
        assert asterisk.connections == 1


async def test_an_asterisk_that_is_shutting_down_is_lost_not_refusing() -> None:
    asterisk = Asterisk()
    asterisk.answers["Challenge"] = {"Response": "Error", "Message": "Asterisk is shutting down"}
    async with watching(asterisk) as seen:
        await until(lambda: asterisk.connections >= 2)
        assert seen.asterisk == [AsteriskState.LOST]


async def test_missing_rights_are_told_by_name() -> None:
    asterisk = Asterisk()
    asterisk.answers["DeviceStateList"] = {"Response": "Error", "Message": "Permission denied"}
    async with watching(asterisk) as seen:
        await until(lambda: AsteriskState.REFUSED in seen.asterisk)
        assert seen.watch.detail == "DeviceStateList: Permission denied"


async def test_a_listener_that_raises_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ANSWER_WITHIN", 10.0)  # printing a traceback may hold up the loop
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        seen.raising = True
        await until(lambda: len(seen.phones) == 1)
        asterisk.say(Event="DeviceStateChange", Device="PJSIP/1001", State="INUSE")
        asterisk.say(Event="DeviceStateChange", Device="nonsense")
        asterisk.say(Event="DeviceStateChange", Device="PJSIP/1002")
        asterisk.say(Event="DeviceStateChange", Device="PJSIP/1003", State="NOT_INUSE")
        await until(lambda: len(seen.phones) == 3)
        assert asterisk.connections == 1


async def test_after_a_restart_phones_it_does_not_name_are_unreachable() -> None:
    asterisk = Asterisk()
    async with watching(asterisk) as seen:
        await until(lambda: bool(seen.phones))
        asterisk.devices = {}
        asterisk.say(Event="Shutdown", Shutdown="Cleanly")
        await until(lambda: len(seen.phones) == 2)
        assert seen.phones[-1] == ("1001", PhoneState.UNREACHABLE)
        assert seen.asterisk[1:] == [
            AsteriskState.SHUTTING_DOWN,
            AsteriskState.LOST,
            AsteriskState.BOOTED,
        ]


async def test_where_nothing_listens_it_goes_on_trying() -> None:
    async with Asterisk().serving() as port:
        pass
    seen = Watching(AmiWatch("127.0.0.1", port, "ringback", "secret"))
    task = asyncio.create_task(seen.watch.run(seen.on_phone, seen.on_asterisk))
    await until(lambda: bool(seen.asterisk))
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_it_ends_whenever_it_is_cancelled() -> None:
    asterisk = Asterisk()
    asterisk.mute = True
    async with asterisk.serving() as port:
        for moments in range(40):
            seen = Watching(AmiWatch("127.0.0.1", port, "ringback", "secret"))
            task = asyncio.create_task(seen.watch.run(seen.on_phone, seen.on_asterisk))
            for _ in range(moments):
                await asyncio.sleep(0)
            task.cancel()
            async with asyncio.timeout(2):
                await asyncio.wait([task])
            assert task.cancelled()


async def test_a_line_break_never_reaches_the_wire() -> None:
    with pytest.raises(ValueError, match="line break"):
        await AmiSession("127.0.0.1", 1).ask("Login", Username="x\r\nAction: Originate")


@pytest.mark.parametrize("word", ["UNAVAILABLE", "INVALID", "UNKNOWN", "", "SOMETHING_NEW"])
def test_a_phone_not_surely_there_is_unreachable(word: str) -> None:
    assert phone_state(word) == PhoneState.UNREACHABLE
