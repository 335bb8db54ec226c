"""What a lossy or hostile wire does to demo.sip: retransmissions, time-outs, time stamps, registration."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from demo.sip import digest, policy
from demo.sip.agent import SipAgent
from demo.sip.call import Ending
from demo.sip.errors import CallFailed, RegistrationFailed
from demo.sip.message import Message, Request, Response, parse, reply
from demo.sip.timers import Timing, repeats
from demo.sip.udp import Peer, UdpSocket
from demo.sip.waiting import Changes

HOST = "127.0.0.1"
FAST = Timing(t1=0.002, t2=0.008)


class Wire:
    """A bare socket: what came in, and what we choose to say."""

    def __init__(self) -> None:
        self.socket = UdpSocket(HOST, 0, self._received)
        self.received: list[Message] = []
        self.changes = Changes()
        self.peer: Peer = (HOST, 9)

    def _received(self, data: bytes, peer: Peer, at: float) -> None:
        self.received.append(parse(data))
        self.peer, self.at = peer, at
        self.changes.notify()

    def say(self, message: Message, peer: Peer | None = None) -> None:
        self.socket.send(message.render(), peer or self.peer)

    async def count(self, start: str, number: int) -> list[Message]:
        def enough() -> list[Message] | None:
            found = [message for message in self.received if message.start_line.startswith(start)]
            return found if len(found) >= number else None

        async with asyncio.timeout(2):
            return await self.changes.until(enough)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    wire.socket.close()


@pytest.fixture
async def agent(wire: Wire) -> AsyncIterator[SipAgent]:
    """Its server is the wire."""
    agent = SipAgent("1001", HOST, wire.socket.port, "secret", timing=FAST)
    await agent.open()
    yield agent
    agent.unplug()


def invite(wire: Wire, method: str = "INVITE", tag: str = "", branch: str = "z9hG4bK1") -> Request:
    request = Request(method, "sip:1001@x")
    for name, value in (
        ("Via", f"SIP/2.0/UDP {HOST}:{wire.socket.port};branch={branch}"),
        ("From", "<sip:+49151@x>;tag=f"),
        ("To", "<sip:1001@x>" + (f";tag={tag}" if tag else "")),
        ("Call-ID", "c1"),
        ("CSeq", f"1 {method}"),
        ("Contact", f"<sip:x@{HOST}:{wire.socket.port}>"),
    ):
        request.headers.add(name, value)
    return request


async def test_an_invite_that_comes_twice_is_one_call(wire: Wire, agent: SipAgent) -> None:
    for _ in range(2):
        wire.say(invite(wire), (HOST, agent.port))
    await wire.count("SIP/2.0 180", 2)
    assert len(agent.invites) == 1


async def test_a_200_is_repeated_until_its_ack(wire: Wire, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    wire.say(invite(wire), (HOST, agent.port))
    answers = await wire.count("SIP/2.0 200", 3)
    wire.say(invite(wire, "ACK", answers[0].to.tag, "z9hG4bK2"))
    call = await agent.incoming()
    await call.acknowledged_at()
    sent = len([entry for entry in call.messages if entry.sent])
    await asyncio.sleep(3 * FAST.t2)
    assert len([entry for entry in call.messages if entry.sent]) == sent


async def test_a_200_without_any_ack_ends_the_call(wire: Wire, agent: SipAgent) -> None:
    agent.policy = policy.answer()
    wire.say(invite(wire), (HOST, agent.port))
    call = await agent.incoming()
    assert (await call.ended()).how == Ending.NO_ANSWER


async def test_a_refusal_is_repeated_until_its_ack(wire: Wire, agent: SipAgent) -> None:
    agent.policy = policy.reject(486)
    wire.say(invite(wire), (HOST, agent.port))
    refusals = await wire.count("SIP/2.0 486", 2)
    wire.say(invite(wire, "ACK", refusals[0].to.tag))
    assert (await agent.incoming()).final_status == 486


def test_intervals_double_until_64_t1() -> None:
    timing = Timing(t1=1, t2=8)
    assert list(repeats(timing, longest=64)) == [1, 3, 7, 15, 31, 63]
    assert list(repeats(timing, longest=timing.t2)) == [1, 3, 7, *range(15, 64, 8)]


async def test_an_invite_nobody_answers_is_repeated_and_given_up(wire: Wire, agent: SipAgent) -> None:
    call = await agent.invite("600")
    assert await call.final() == 408
    assert (await call.ended()).how == Ending.NO_ANSWER
    assert len({entry.message.branch for entry in call.messages}) == 1
    assert len(call.messages) == 7


async def test_cancel_waits_for_a_provisional_response(wire: Wire, agent: SipAgent) -> None:
    call = await agent.invite("600")
    call.cancel()
    (first, *_) = await wire.count("INVITE", 2)
    assert call.cancelled_at is None
    assert isinstance(first, Request)
    wire.say(reply(first, 180, to_tag="w"))
    (cancel, *_) = await wire.count("CANCEL", 1)
    assert (cancel.branch, cancel.cseq) == (first.branch, (1, "CANCEL"))


async def test_a_repeated_200_is_acknowledged_again(wire: Wire, agent: SipAgent) -> None:
    await agent.invite("600")
    (request, *_) = await wire.count("INVITE", 1)
    assert isinstance(request, Request)
    accepted = reply(request, 200, to_tag="w")
    accepted.headers["Contact"] = f"<sip:far@{HOST}:{wire.socket.port}>"
    for _ in range(2):
        wire.say(accepted)
    for ack in await wire.count("ACK", 2):
        assert isinstance(ack, Request)
        assert (ack.uri, ack.to.tag) == (f"sip:far@{HOST}:{wire.socket.port}", "w")


async def test_a_phone_without_power_says_nothing(wire: Wire, agent: SipAgent) -> None:
    agent.policy = policy.dead()
    for _ in range(2):
        wire.say(invite(wire), (HOST, agent.port))
    await agent.incoming()
    wire.say(invite(wire, "OPTIONS", branch="z9hG4bK9"), (HOST, agent.port))
    await wire.count("SIP/2.0 200", 1)
    assert len(wire.received) == 1


async def test_requests_of_no_call_are_answered(wire: Wire, agent: SipAgent) -> None:
    wire.say(invite(wire, "OPTIONS", branch="z9hG4bK2"), (HOST, agent.port))
    wire.say(invite(wire, "BYE", "gone", "z9hG4bK3"), (HOST, agent.port))
    wire.say(invite(wire, "SUBSCRIBE", branch="z9hG4bK4"), (HOST, agent.port))
    wire.socket.send(b"\r\n\r\n", (HOST, agent.port))
    wire.socket.send(b"\xff\x00 nonsense", (HOST, agent.port))
    await wire.count("SIP/2.0 200", 1)
    await wire.count("SIP/2.0 481", 1)
    await wire.count("SIP/2.0 405", 1)


def block_the_event_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_an_arrival_is_stamped_by_the_kernel_however_busy_we_are(wire: Wire) -> None:
    sender = UdpSocket(HOST, 0, lambda data, peer, at: None)
    sent = time.monotonic()
    sender.send(Response(200).render(), (HOST, wire.socket.port))
    gone = time.monotonic()
    block_the_event_loop(0.02)
    await wire.count("SIP/2.0 200", 1)
    sender.close()
    assert time.monotonic() - gone > 0.02
    wall_is_not_the_kernels = "faketime" in os.environ.get("LD_PRELOAD", "")
    if wall_is_not_the_kernels:  # then the time of reading has to do
        assert wire.at >= gone + 0.02
    else:
        assert sent - 0.0005 < wire.at < gone + 0.005


async def answer_register(wire: Wire, number: int, password: str) -> Request:
    """A registrar of one digest check; grants 60 s."""
    message = (await wire.count("REGISTER", number))[number - 1]
    assert isinstance(message, Request)
    given = digest.parse(message.headers["Authorization"])
    response = reply(message, 401, to_tag="r")
    response.headers["WWW-Authenticate"] = 'Digest realm="asterisk", nonce="n1", algorithm=MD5'
    if given:
        challenge = {"realm": "asterisk", "nonce": "n1"}
        expected = digest.answer(challenge, "REGISTER", message.uri, given["username"], password)
        if digest.parse(expected)["response"] == given["response"]:
            response = reply(message, 200, to_tag="r")
            response.headers["Contact"] = f"{message.headers['Contact']};expires=60"
    wire.say(response)
    return message


async def test_a_phone_registers_with_digest_and_unregisters(wire: Wire, agent: SipAgent) -> None:
    registering = asyncio.create_task(agent.register())
    first, second = await answer_register(wire, 1, "secret"), await answer_register(wire, 2, "secret")
    await registering
    assert agent.registered
    assert (first.call_id, first.cseq[0] + 1) == (second.call_id, second.cseq[0])
    leaving = asyncio.create_task(agent.unregister())
    await answer_register(wire, 3, "secret")
    last = await answer_register(wire, 4, "secret")
    await leaving
    assert last.headers["Expires"] == "0"
    assert not agent.registered


async def test_a_wrong_password_is_loud(wire: Wire, agent: SipAgent) -> None:
    registering = asyncio.create_task(agent.register())
    for number in (1, 2):
        await answer_register(wire, number, "other")
    with pytest.raises(RegistrationFailed, match="401"):
        await registering


async def test_pulling_the_plug_ends_calls_here_only(wire: Wire, agent: SipAgent) -> None:
    call = await agent.invite("600")
    agent.unplug()
    assert (await call.ended()).how == Ending.DROPPED
    with pytest.raises(CallFailed, match="dropped"):
        await call.answered()
