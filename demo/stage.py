"""The stage: a whole Ringback (`ringback up` as a child process) with a simulated carrier and agents' phones.

Real Asterisk, real Postgres, real SIP. The demo, the acceptance tests and the bench all play on it.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import asyncpg

from demo.api import Api
from demo.folder import enterable_folder
from demo.lags import Lags
from demo.sip.agent import SipAgent
from demo.sip.carrier import Carrier
from demo.sip.policy import Policy
from demo.sip.tls import Tls
from routing.local.asterisk import prompts
from routing.local.system.ports import Ports, reserved

READY_WITHIN = 60.0


@dataclass(frozen=True)
class Worker:
    """An agent: the phone, registered, and what the agent may do over the API."""

    id: str
    phone: SipAgent
    api: Api

    async def ready(self) -> None:
        await self.api.put(f"agents/{self.id}/state", {"state": "ready"})

    async def not_ready(self) -> None:
        await self.api.put(f"agents/{self.id}/state", {"state": "not_ready", "reason": "break"})

    async def state(self) -> dict[str, Any]:
        return dict(await self.api.get(f"agents/{self.id}"))


@dataclass
class Stage:
    """Use `async with open_stage(...)`."""

    data_dir: Path
    ports: Ports
    api: Api
    carrier: Carrier
    sql: "asyncpg.Connection[asyncpg.Record]"
    up: asyncio.subprocess.Process
    log: Path
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _workers: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.http}"

    @property
    def credentials(self) -> dict[str, Any]:
        return dict(json.loads((self.data_dir / "credentials.json").read_text()))

    @property
    def authority(self) -> Path:
        """Whom phones that speak TLS trust."""
        return self.data_dir / "asterisk/tls/ca.crt"

    def pid(self, part: str) -> int:
        """The process id of `service`, `asterisk` or `postgres`."""
        return int((self.data_dir / "run" / f"{part}.pid").read_text())

    async def queue(self, name: str, number: str, **settings: Any) -> dict[str, Any]:
        """Make or change a queue that answers `number`."""
        return dict(await self.api.put(f"queues/{name}", {"name": name, "numbers": [number], **settings}))

    async def worker(
        self,
        agent_id: str,
        *queues: str,
        register: bool = True,
        policy: Policy | None = None,
        tls: bool = False,
        **settings: Any,
    ) -> Worker:
        """Make an agent who serves `queues`, register the phone and log in. Not Ready yet.

        `tls`: the phone speaks SIP over TLS, and SRTP.
        """
        password, sip_password = f"login-{agent_id}-secret", f"sip-{agent_id}-secret"
        serves = [{"queue": name} for name in queues]
        body = {"password": password, "sip_password": sip_password, "queues": serves, **settings}
        await self.api.put(f"agents/{agent_id}", body)
        port, trust = (self.ports.sip_tls, Tls.trusting(self.authority)) if tls else (self.ports.sip, None)
        phone = SipAgent(agent_id, "127.0.0.1", port, sip_password, policy=policy, tone=350, tls=trust)
        await self._workers.enter_async_context(phone)
        if register:
            await phone.register()
            await self.until(lambda: self._phone_is(agent_id, "reachable"), f"{agent_id}'s phone is reachable")
        login = await self.api.post("login", {"user": agent_id, "password": password})
        return Worker(agent_id, phone, await self._workers.enter_async_context(Api(self.url, login["token"])))

    async def _phone_is(self, agent_id: str, state: str) -> bool:
        return bool((await self.api.get(f"agents/{agent_id}"))["phone"] == state)

    async def interaction(self, number: str) -> dict[str, Any]:
        """The latest interaction of that number, as the API shows it."""
        for wanted in ({}, {"status": "closed"}):
            items = (await self.api.get("interactions", number=number, **wanted))["items"]
            if items:
                return dict(max(items, key=lambda each: str(each["entered_at"])))
        return {"status": None, "stage": None, "id": None}

    async def when(self, number: str, within: float = 5.0, **expected: Any) -> dict[str, Any]:
        """Wait until the number's interaction shows all of `expected`; told by the live stream."""
        found: dict[str, Any] = {}

        async def shows() -> bool:
            found.update(await self.interaction(number))
            return all(found.get(key) == value for key, value in expected.items())

        await self.until(shows, f"{number}: {expected}", within, found)
        return found

    async def until(self, holds: Callable[[], Any], what: str, within: float = 5.0, seen: Any = None) -> None:
        """Wait until `await holds()` is true, asked again on every message of the live stream."""
        try:
            async with asyncio.timeout(within):
                while not await holds():
                    async with self._news:
                        with contextlib.suppress(TimeoutError):  # a look in between, should a message be lost
                            async with asyncio.timeout(0.25):
                                await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {within} s: {what}; seen: {seen}") from None

    async def feed(self, interaction_id: str) -> list[str]:
        """The names of the events in an interaction's feed, in order."""
        page = await self.api.get(f"interactions/{interaction_id}/feed")
        return [line["event"] for line in page["items"]]

    async def watch(self) -> None:
        """Follow the live stream, again after every break: what `until` waits for."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self.api.stream() as socket:
                    async for _ in socket:
                        async with self._news:
                            self._news.notify_all()
            await asyncio.sleep(0.1)

    async def loop_lags(self) -> Lags:
        """Of the service, since it was started."""
        patience = aiohttp.ClientTimeout(total=5)
        async with aiohttp.request("GET", f"{self.url}/metrics", timeout=patience) as response:
            return Lags.read(await response.text())

    async def ready(self) -> bool:
        """Whether the service says so."""
        try:
            async with aiohttp.request("GET", f"{self.url}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async def leave(self) -> None:
        await self._workers.aclose()

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self.watch(), name="live stream")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.leave()


@contextlib.asynccontextmanager
async def open_stage(
    data_dir: Path,
    *,
    sounds: Path | None = None,
    seed: str = "none",
    log: Path | None = None,
    trunk_tls: Path | None = None,
    legs: int | None = None,
    under: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
) -> AsyncIterator[Stage]:
    """Start everything on free ports; stop all of it at the end. Raises AssertionError with the log when it fails.

    `trunk_tls`: a folder of `routing.local.system.certificates.own`, with which the carrier then speaks TLS.
    `legs`: how many the RTP ports are for; more than 400 have theirs beside the stage's own, from 40000 on.
    `under`: the command to run it under, `prlimit` say. `flags`: more of those of `ringback up`.
    """
    with reserved() as ports:
        log = log or data_dir / "up.log"
        _make_folder(data_dir)
        options = ["--data-dir", str(data_dir), "--seed", seed, *_options(ports, sounds, trunk_tls, legs), *flags]
        up = await start((*under, sys.executable, "-m", "routing", "up", *options), log)
        try:
            await until_ready(up, ports, log)
            async with connected(data_dir, ports, up, log, trunk_tls) as stage:
                yield stage
        finally:
            await stop(up)


@contextlib.asynccontextmanager
async def scratch_stage(
    name: str, *, legs: int | None = None, under: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> AsyncIterator[Stage]:
    """A stage in a folder that is gone at the end, its prompts made of tones."""
    with enterable_folder(name) as home:
        sounds = prompts.tones(home / "tones")
        async with open_stage(home / "data", sounds=sounds, legs=legs, under=under, flags=flags) as stage:
            yield stage


def _make_folder(data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


def _options(ports: Ports, sounds: Path | None, trunk_tls: Path | None, legs: int | None) -> list[str]:
    options = ["--port-base", str(ports.base)]
    if sounds:
        options += ["--sounds", str(sounds)]
    if legs:
        first = ports.rtp[0] if legs <= 400 else 40000
        options += ["--rtp", f"{first}-{first + 2 * legs - 1}"]
    if trunk_tls:
        options += ["--carrier", f"sips:127.0.0.1:{ports.carrier}", "--tls-ca", str(trunk_tls / "ca.crt")]
    return options


async def start(
    command: tuple[str, ...], log: Path, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, start_new_session=True, env=environment
        )


async def until_ready(up: asyncio.subprocess.Process, ports: Ports, log: Path) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + READY_WITHIN
    async with aiohttp.ClientSession() as session:
        while loop.time() < end and up.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{ports.http}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise AssertionError(f"Ringback did not become ready; its log ends:\n{_end_of(log)}")


@contextlib.asynccontextmanager
async def connected(
    data_dir: Path, ports: Ports, up: asyncio.subprocess.Process, log: Path, trunk_tls: Path | None = None
) -> AsyncIterator[Stage]:
    from routing.local.postgres.server import Postgres
    from routing.local.system.home import Home

    token = (data_dir / "admin.token").read_text().strip()
    sql = await asyncpg.connect(Postgres(Home(data_dir).postgres, Path()).dsn)
    carrier = _carrier(data_dir, ports, trunk_tls)
    try:
        async with (
            Api(f"http://127.0.0.1:{ports.http}", token) as api,
            carrier,
            Stage(data_dir, ports, api, carrier, sql, up, log) as stage,
        ):
            yield stage
    finally:
        await sql.close()


def _carrier(data_dir: Path, ports: Ports, certificate: Path | None) -> Carrier:
    if certificate is None:
        return Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip))
    chain, key = certificate / "server.crt", certificate / "server.key"
    tls = Tls.trusting(data_dir / "asterisk/tls/ca.crt", chain=chain, key=key)
    return Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip_tls), tls=tls)


async def stop(up: asyncio.subprocess.Process) -> None:
    """SIGTERM ends calls and stops all three within 10 s."""
    if up.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(up.pid, signal.SIGTERM)
    await asyncio.wait_for(up.wait(), 15)
