"""The other machine: an office's phones, the trunk, who guesses passwords. Prints what it saw as one line of JSON."""

import asyncio
import contextlib
import itertools
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

from demo.api import Api, Refused
from demo.sip import digest
from demo.sip.agent import SipAgent
from demo.sip.carrier import Carrier
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from routing.local.asterisk.prompts import TONES
from tests.faults.siege.places import (
    CUSTOMERS,
    FORGED,
    GUESSER,
    HERE,
    OFFICE,
    QUEUE,
    SIP_PASSWORD,
    TRUNK,
    TRUNK_PORT,
    StreamMessage,
    stranger,
)

_WWW = re.compile(r"WWW-Authenticate: (.*)\r\n")
_counter = itertools.count(1)


class Guesser:
    """A socket of an address of its own that sends REGISTERs and counts what comes back."""

    def __init__(self, told: StreamMessage, address: str, account: str = "1001", *, forging: bool = False) -> None:
        """`forging`: as if the address were another's, it does not hear what is sent there."""
        self._server, self.address, self._account = (HERE, told.sip), address, account
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, 0))
        self.port = self._socket.getsockname()[1]
        self.answers = 0
        self.let_in = False
        self._challenged = asyncio.Event()
        self.challenge = {"realm": "ringback", "nonce": f"{int(time.time())}/{secrets.token_hex(16)}"}
        """Until one is sent to us: a nonce we made up."""
        self._forging = forging
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def ask(self, password: str | None = None) -> None:
        """A REGISTER; with a password an answer to the challenge."""
        n, uri = next(_counter), f"sip:{HERE}"
        told = digest.answer(self.challenge, "REGISTER", uri, self._account, password) if password else None
        lines = (
            f"REGISTER {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch=z9hG4bK{n}",
            "Max-Forwards: 70",
            f"From: <sip:{self._account}@{HERE}>;tag={n}",
            f"To: <sip:{self._account}@{HERE}>",
            f"Call-ID: {n}@{self.address}",
            f"CSeq: {n} REGISTER",
            f"Contact: <sip:{self._account}@{self.address}:{self.port}>",
            "Expires: 60",
            *([f"Authorization: {told}"] if told else []),
            "Content-Length: 0",
        )
        with contextlib.suppress(BlockingIOError):
            self._socket.sendto("\r\n".join((*lines, "", "")).encode(), self._server)

    async def is_heard(self, within: float = 1.0) -> bool:
        """Whether a REGISTER is answered with a challenge, asking again as a phone does."""
        self._challenged.clear()
        end = time.monotonic() + within
        while time.monotonic() < end:
            self.ask()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._challenged.wait()
                    return True
        return False

    async def guess(self, times: int, over: float) -> None:
        """Wrong passwords, evenly, whatever comes back."""
        began = time.monotonic()
        for n in range(times):
            self.ask(f"wrong-{n}")
            if (ahead := n / times * over - (time.monotonic() - began)) > 0.002:
                await asyncio.sleep(ahead)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self._socket.recv(65535).decode(errors="replace"))

    def _take(self, answer: str) -> None:
        self.answers += 1
        self.let_in |= answer.startswith("SIP/2.0 2")
        if (match := _WWW.search(answer)) and not self._forging:
            self.challenge = digest.parse(match[1])
            self._challenged.set()


class Outside:
    def __init__(self, told: StreamMessage, api: Api, phone: SipAgent, carrier: Carrier) -> None:
        self.told, self.api, self.phone, self.carrier = told, api, phone, carrier

    async def banned(self) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            page = await self.api.get(f"bans?limit=200{cursor}")
            found |= {each["address"] for each in page["items"]}
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def until(self, holds: Callable[[], Awaitable[bool]], within: float) -> float:
        """Seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110  # another machine's state tells us nothing by itself
                await asyncio.sleep(0.05)
        return time.monotonic() - began

    @contextlib.asynccontextmanager
    async def others_go_on(self, seen: dict[str, Any], name: str, pause: float = 0.02) -> AsyncIterator[None]:
        """Meanwhile the office registers again and again, and customers call in; how long that took."""
        took: list[float] = []
        calls: list[float] = []
        tasks = [asyncio.create_task(self._register(took, pause)), asyncio.create_task(self._call(calls, pause))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    raise AssertionError(f"{name}: the office or the trunk failed") from ended
        seen[f"{name}_registered"], seen[f"{name}_answered"] = took, calls

    async def _register(self, took: list[float], pause: float) -> None:
        while True:
            began = time.monotonic()
            await self.phone.register()
            took.append(time.monotonic() - began)
            await asyncio.sleep(pause)

    async def _call(self, took: list[float], pause: float) -> None:
        while True:
            began = time.monotonic()
            call = await self.carrier.phone(f"{CUSTOMERS}{next(_counter):08}").call(QUEUE)
            await call.answered()
            took.append(time.monotonic() - began)
            await call.hear(TONES["music"])
            await call.hangup()
            await asyncio.sleep(5 * pause)

    # The scenes

    async def guessers(self, seen: dict[str, Any]) -> None:
        """From one address, from a thousand, from a forged one, from the office and from the trunk."""
        await self._one(seen)
        await self._a_thousand(seen)
        await self._forged(seen)
        await self._beside_a_phone(seen)
        await self._at_the_trunk(seen)
        await self._lifted(seen)

    async def _one(self, seen: dict[str, Any]) -> None:
        times, over = (6000, 3.0) if self.told.full else (1000, 0.5)
        guesser = Guesser(self.told, GUESSER)
        assert await guesser.is_heard()
        async with self.others_go_on(seen, "one"):
            guessing = asyncio.create_task(guesser.guess(times, over))

            async def listed() -> bool:
                return GUESSER in await self.banned()

            seen["one_listed_after"] = await self.until(listed, 10)
            await guessing
            await asyncio.sleep(0.5)
        seen["one_guessed"], seen["one_answers"] = times, guesser.answers
        seen["one_heard"] = await guesser.is_heard()
        guesser.close()

    async def _a_thousand(self, seen: dict[str, Any]) -> None:
        """Each asks, then answers wrongly five times; who was not heard tries again."""
        n = 1000 if self.told.full else 100
        guessers = [Guesser(self.told, stranger(i + 1)) for i in range(n)]
        addresses = {stranger(i + 1) for i in range(n)}
        began = time.monotonic()
        async with self.others_go_on(seen, "many"):
            left = guessers
            while left and time.monotonic() - began < 60:
                await asyncio.gather(*(self._six(each, i * 3 / n) for i, each in enumerate(left)))
                await asyncio.sleep(0.2)
                banned = await self.banned()
                left = [each for each in left if each.address not in banned]
        seen["many_banned_after"] = time.monotonic() - began
        seen["many_addresses"], seen["many_banned"] = n, len(addresses & await self.banned())
        seen["many_answers"] = sum(each.answers for each in guessers)
        for each in guessers:
            each.close()

    async def _six(self, guesser: Guesser, after: float) -> None:
        await asyncio.sleep(after)
        if await guesser.is_heard(0.5):
            await guesser.guess(5, 0.01)

    async def _forged(self, seen: dict[str, Any]) -> None:
        """Who forges a sender never sees our nonce. An office there can register afterwards."""
        forger = Guesser(self.told, FORGED, forging=True)
        await forger.guess(200, 1.0)
        await asyncio.sleep(1)
        seen["forged_banned"] = FORGED in await self.banned()
        forger.close()
        began = time.monotonic()
        async with SipAgent("1002", HERE, self.told.sip, SIP_PASSWORD, local_host=FORGED) as phone:
            await phone.register(within=20)
            seen["forged_registered_after"] = time.monotonic() - began

    async def _beside_a_phone(self, seen: dict[str, Any]) -> None:
        """In the office, where 1001's phone is, too: the port alone is shut."""
        guesser = Guesser(self.told, OFFICE)
        assert await guesser.is_heard()
        await guesser.guess(40, 2.0)
        seen["office_answers"], seen["office_heard"] = guesser.answers, await guesser.is_heard()
        began = time.monotonic()
        await self.phone.register()
        seen["office_phone_registered_after"] = time.monotonic() - began
        seen["office_banned"] = OFFICE in await self.banned()
        guesser.close()

    async def _at_the_trunk(self, seen: dict[str, Any]) -> None:
        guesser = Guesser(self.told, TRUNK)
        assert await guesser.is_heard()
        await guesser.guess(40, 1.0)
        await asyncio.sleep(1)
        seen["trunk_heard"], seen["trunk_banned"] = await guesser.is_heard(), TRUNK in await self.banned()
        guesser.close()

    async def _lifted(self, seen: dict[str, Any]) -> None:
        guesser = Guesser(self.told, GUESSER)
        seen["before_lifting_heard"] = await guesser.is_heard()
        await self.api.delete(f"bans/{GUESSER}")
        began = time.monotonic()
        assert await guesser.is_heard(10)
        seen["lifted_after"] = time.monotonic() - began
        guesser.close()

    async def stranger(self, seen: dict[str, Any]) -> None:
        """While a customer and an agent talk, and others call and register."""
        customer, agent = await self._talk()
        customer.reset_gaps()
        agent.reset_gaps()
        async with self.others_go_on(seen, "stranger", pause=0.5):
            seen["stranger"] = await self._every_trick()
        await self._hear_each_other(customer, agent)
        seen["stranger_silence"] = max(customer.gaps.silence, agent.gaps.silence)
        seen["stranger_invites"] = len(self.carrier.invites)
        await customer.hangup()

    async def _talk(self) -> tuple[OutgoingCall, IncomingCall]:
        await self.until(self._ready, within=5)  # the service hears of the phone a moment after the phone does
        customer = await self.carrier.phone(
            f"{CUSTOMERS}99999999",
        ).call(QUEUE, tone=450)
        agent = await self.phone.incoming(10)
        agent.answer()
        await self._hear_each_other(customer, agent)
        return customer, agent

    async def _ready(self) -> bool:
        try:
            await self.api.put("agents/1001/state", {"state": "ready"})
        except Refused as error:
            assert error.code == "phone_unreachable", error
            return False
        return True

    async def _hear_each_other(self, customer: OutgoingCall, agent: IncomingCall) -> None:
        await asyncio.gather(customer.hear(350, 10), agent.hear(450, 10))

    async def _every_trick(self) -> dict[str, int]:
        command = (
            "nice",
            "-n",
            "19",
            sys.executable,
            "-m",
            "tests.faults.siege.stranger",
            json.dumps(asdict(self.told)),
        )
        process = await asyncio.create_subprocess_exec(*command, stdout=-1)
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        return dict(json.loads(out.splitlines()[-1]))

    async def after_a_restart(self, seen: dict[str, Any]) -> None:
        seen["restart_banned"] = stranger(1) in await self.banned()
        seen["restart_heard"] = await self._first_stranger_is_heard()

    async def after_a_flush(self, seen: dict[str, Any]) -> None:
        async def shut_out() -> bool:
            return not await self._first_stranger_is_heard()

        seen["shut_out_again_after"] = await self.until(shut_out, 10)

    async def _first_stranger_is_heard(self) -> bool:
        guesser = Guesser(self.told, stranger(1))
        try:
            return await guesser.is_heard()
        finally:
            guesser.close()


async def main(told: StreamMessage, scenes: list[str]) -> None:
    seen: dict[str, Any] = {}
    phone = SipAgent("1001", HERE, told.sip, SIP_PASSWORD, local_host=OFFICE, tone=350)
    carrier = Carrier(TRUNK, TRUNK_PORT, asterisk=(HERE, told.sip))
    async with Api(f"http://{HERE}:{told.http}", told.token) as api, phone, carrier:
        await phone.register()
        outside = Outside(told, api, phone, carrier)
        for scene in scenes:
            await getattr(outside, scene)(seen)
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(StreamMessage(**json.loads(sys.argv[1])), sys.argv[2:]))
