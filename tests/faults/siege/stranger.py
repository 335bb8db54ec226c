"""A stranger with every trick we know, from 65,000 addresses: guesses, floods, garbage, calls that are none of their
business, other people's audio, ports, the API. Prints what came of it as one line of JSON: all should be nothing.
"""

import asyncio
import contextlib
import json
import random
import secrets
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp

from tests.faults.siege.outside import Guesser
from tests.faults.siege.places import HERE, OFFICE, QUEUE, TRUNK, StreamMessage, stranger
from tests.faults.test_sip_garbage import torture
from tests.malformed import BODIES, NAMES, QUERIES, everything

PUBLIC = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")
"""What anybody may see."""
METHODS = ("INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "REFER", "INFO", "BYE")
METHODS += ("CANCEL", "ACK", "UPDATE", "PRACK", "INVITE", "INVITE")
NUMBERS = (QUEUE, "+4915112345678", "00881612345678", "112", "1001", "s", "*97", "carrier", "${EXTEN}", "900123;x=y")
CALLERS = ("1001", "carrier", "nobody", "anonymous", "+4930555100", "admin", "ringback")


class Stranger:
    """`seen` counts what was sent, and what came back that should not have."""

    def __init__(self, told: StreamMessage) -> None:
        self._told = told
        self._dice = random.Random(7)  # the same tricks each time
        self._ends = time.monotonic() + told.seconds
        self.seen: Counter[str] = Counter()

    async def run(self) -> None:
        tricks = [self._garbage, self._streams, self._tls, self._audio, self._logins, self._slow]
        tricks += [self._sip, self._guess, self._api] * 4
        await self._ports()
        await asyncio.gather(*(self._again(trick) for trick in tricks))

    async def _again(self, trick: Callable[[], Awaitable[None]]) -> None:
        while time.monotonic() < self._ends:
            with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError, ssl.SSLError):
                await trick()

    def _address(self) -> str:
        """Mostly somebody new, now and then one of a few who stay."""
        return stranger(self._dice.randrange(1, 20 if self._dice.random() < 0.3 else 65_000))

    @contextlib.contextmanager
    def _socket(self, *, listening: bool = False) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind((self._address(), 0))
            yield sock
            if not listening:
                self._came_back(sock)

    def _came_back(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._answer(sock.recv(65535))

    def _answer(self, answer: bytes) -> None:
        """Nobody is let in: no 1xx but 100, no 2xx, no request of Asterisk's."""
        self.seen["sip answers"] += 1
        line = answer.split(b"\r\n", 1)[0].decode(errors="replace")
        if not line.startswith(("SIP/2.0 100", "SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6")):
            self.seen[f"let in over SIP: {line}"] += 1

    def _request(self, host: str, port: int, transport: str = "UDP") -> bytes:
        """Any method, to anybody, in anybody's name, with headers that want to be believed."""
        dice, n = self._dice, secrets.token_hex(6)
        method = dice.choice(METHODS)
        number, caller = dice.choice(NUMBERS), dice.choice(CALLERS)
        place = dice.choice((HERE, TRUNK, OFFICE, host))
        tricks = (
            f"P-Asserted-Identity: <sip:+4930555100@{TRUNK}>",
            f"Route: <sip:{TRUNK};lr>",
            f"Route: <sip:{HERE}:{self._told.sip};lr>, <sip:{TRUNK};lr>",
            f"Record-Route: <sip:{TRUNK};lr>",
            f"Refer-To: <sip:+4915112345678@{TRUNK}>",
            f"Replaces: {n}@{HERE};to-tag=1;from-tag=2",
            'Authorization: Digest username="1001", realm="ringback", nonce="' + n + '", uri="sip:x", response="0"',
            "X-Asterisk: ${SHELL(id)}",
            "Event: presence",
            "Diversion: <sip:1001@127.0.0.1>",
        )
        body = f"v=0\r\no=- 1 1 IN IP4 {OFFICE}\r\ns=-\r\nc=IN IP4 {OFFICE}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        lines = (
            f"{method} sip:{number}@{HERE} SIP/2.0",
            f"Via: SIP/2.0/{transport} {dice.choice((host, TRUNK))}:{port};rport;branch=z9hG4bK{n}",
            f"Max-Forwards: {dice.choice((70, 1, 0))}",
            f"From: <sip:{caller}@{place}>;tag={n}",
            f"To: <sip:{number}@{HERE}>{dice.choice(('', ';tag=1'))}",
            f"Call-ID: {n}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{caller}@{host}:{port}>",
            *dice.sample(tricks, 2),
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join((*lines, "", body)).encode()

    async def _sip(self) -> None:
        with self._socket() as sock:
            for _ in range(self._dice.choice((1, 5, 30))):
                with contextlib.suppress(BlockingIOError):
                    sock.sendto(self._request(*sock.getsockname()), (HERE, self._told.sip))
                self.seen["sip requests"] += 1
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.02)

    async def _guess(self) -> None:
        """As a phone does it, with the challenge that was sent; on and on when nobody answers any more."""
        guesser = Guesser(self._told, self._address(), self._dice.choice(("1001", "1002", "nobody")))
        try:
            await guesser.is_heard(0.5)
            await guesser.guess(20, 0.5)
            self.seen["sip passwords guessed at"] += 20
            self.seen["sip answers"] += guesser.answers
            if guesser.let_in:
                self.seen["let in over SIP: a password guessed"] += 1
        finally:
            guesser.close()

    async def _garbage(self) -> None:
        with self._socket() as sock:
            for datagram in torture(self._dice, 1):
                with contextlib.suppress(OSError):
                    sock.sendto(datagram, (HERE, self._told.sip))
                self.seen["malformed datagrams"] += 1
                await asyncio.sleep(0.01)

    async def _open(self, port: int, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(1):
            return await asyncio.open_connection(HERE, port, local_addr=(self._address(), 0), **options)

    async def _streams(self) -> None:
        """TCP: requests, garbage, half of something, nothing at all; left open for a while."""
        self.seen["tcp connections"] += 1
        await asyncio.sleep(0.02)
        reader, writer = await self._open(self._told.sip)
        whole = self._request(*writer.get_extra_info("sockname"), transport="TCP")
        writer.write(self._dice.choice((whole, whole * 20, whole[:100], secrets.token_bytes(500), b"")))
        asyncio.get_running_loop().call_later(self._dice.choice((0.1, 5)), writer.transport.abort)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.05):
                for answer in (await reader.read(65535)).split(b"\r\n\r\n"):
                    if answer.startswith(b"SIP/2.0"):
                        self._answer(answer)

    async def _tls(self) -> None:
        """A handshake that is none, and one after which somebody else is claimed to be."""
        self.seen["tls connections"] += 1
        await asyncio.sleep(0.2)
        if self._dice.random() < 0.5:
            _, writer = await self._open(self._told.sip_tls)
            writer.write(secrets.token_bytes(200))
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            _, writer = await self._open(self._told.sip_tls, ssl=context)
            writer.write(self._request(*writer.get_extra_info("sockname")[:2], transport="TLS"))
        asyncio.get_running_loop().call_later(1, writer.transport.abort)

    async def _audio(self) -> None:
        """To every port that may carry a call: perhaps its sound comes to us then."""
        with self._socket(listening=True) as sock:
            sound = bytes((0x80, 0)) + secrets.token_bytes(10) + b"\xff" * 160
            for n, port in enumerate(range(self._told.rtp_first, self._told.rtp_last + 1)):
                with contextlib.suppress(OSError):
                    sock.sendto(sound, (HERE, port))
                self.seen["rtp packets"] += 1
                if n % 10 == 0:
                    await asyncio.sleep(0.02)
                with contextlib.suppress(OSError):
                    while len(sock.recv(65535)) > 100:
                        self.seen["audio heard"] += 1

    async def _api(self) -> None:
        """Every route, without a token and with one that is made up."""
        connector = aiohttp.TCPConnector(local_addr=(self._address(), 0), limit=4)
        base = f"http://{HERE}:{self._told.http}"
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as http:
            for method, path, _ in everything(self._dice.choice(["1001", "support", *NAMES])):
                headers = self._dice.choice(({}, {"Authorization": f"Bearer {secrets.token_urlsafe(32)}"}))
                body, query = self._dice.choice(list(BODIES.values())), self._dice.choice(QUERIES)
                self.seen["http requests"] += 1
                with contextlib.suppress(aiohttp.ClientError, ValueError, TimeoutError):
                    async with http.request(method, f"{base}{path}?{query}", headers=headers, data=body) as answer:
                        if answer.status < 400 and not path.startswith(PUBLIC):
                            self.seen[f"let in over HTTP: {method} {path}"] += 1
                        if answer.status >= 500:
                            self.seen[f"{answer.status} over HTTP: {method} {path}"] += 1
                await asyncio.sleep(0.01)

    async def _logins(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            guess = {"user": self._dice.choice(("1001", "1002", "admin")), "password": secrets.token_hex(4)}
            self.seen["passwords guessed at"] += 1
            async with http.post(f"http://{HERE}:{self._told.http}/api/v1/login", json=guess) as answer:
                if answer.status < 400:
                    self.seen["logged in"] += 1
        await asyncio.sleep(0.1)

    async def _slow(self) -> None:
        """Connections that say half of something and wait."""
        self.seen["slow connections"] += 1
        _, writer = await self._open(self._told.http)
        writer.write(self._dice.choice((b"", b"GET / HTTP/1.1\r\nHost:", b"\x16\x03\x01", b"junk\r\n\r\n")))
        asyncio.get_running_loop().call_later(15, writer.transport.abort)
        await asyncio.sleep(0.1)

    async def _ports(self) -> None:
        """What answers besides SIP, its TLS and the API."""
        known = {self._told.sip, self._told.sip_tls, self._told.http}
        for port in {*range(self._told.http - 20, self._told.http + 40), 22, 5038, 5060, 5432, 8088} - known:
            with contextlib.suppress(OSError, TimeoutError):
                _, writer = await self._open(port)
                writer.close()
                self.seen[f"open port {port - self._told.http:+}"] += 1


async def main(told: StreamMessage) -> None:
    tried = Stranger(told)
    await tried.run()
    print(json.dumps(tried.seen))


if __name__ == "__main__":
    asyncio.run(main(StreamMessage(**json.loads(sys.argv[1]))))
