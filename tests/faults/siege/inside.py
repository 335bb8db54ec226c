"""The machine under siege: makes the other one and the wire, runs `ringback up`, has outside.py do its scenes, and
prints what was seen as one line of JSON. Arguments: the scenes; `full`, and for how many seconds a stranger tries.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from demo.api import Api
from demo.folder import enterable_folder
from routing.local.asterisk import prompts
from routing.local.postgres.server import Postgres
from routing.local.system.ports import Ports, reserved
from routing.runtime.until_signal import run_until_signal
from tests.calls.line import FAST
from tests.faults.siege.places import (
    AGENTS,
    CUSTOMERS,
    FORGED,
    GUESSER,
    HERE,
    OFFICE,
    QUEUE,
    SIP_PASSWORD,
    STRANGERS,
    TRUNK,
    TRUNK_PORT,
    StreamMessage,
)

ROOT = Path(__file__).parents[3]


async def main(scenes: list[str], full: bool, seconds: float) -> None:
    seen: dict[str, Any] = {}
    with wire() as other, reserved() as ports, enterable_folder("siege") as home:
        prompts.tones(home / "tones")
        for round_, names in enumerate((scenes, ["after_a_restart"] if "guessers" in scenes else [])):
            if not names:
                continue
            async with up(home, ports):
                token = (home / "data/admin.token").read_text().strip()
                if not round_:
                    await prepare(ports, token)
                before, cost = log_bytes(home), Cost(home / "data")
                told = StreamMessage(ports.sip, ports.sip_tls, ports.http, *ports.rtp, token, full, seconds)
                seen |= await outside(other, told, names)
                if not round_:
                    seen |= {"log_bytes": log_bytes(home) - before, **cost.since(), **await stored(home / "data")}
                elif "guessers" in scenes:
                    seen["rules_back_after"] = await flushed()
                    seen |= await outside(other, told, ["after_a_flush"])
        seen["tables_left"] = tables()
    print(json.dumps(seen))


async def flushed() -> float:
    """Somebody flushes all rules; seconds until ours are back."""
    began = time.monotonic()
    subprocess.run(["nft", "flush", "ruleset"], check=True)  # noqa: ASYNC221  # takes some milliseconds
    async with asyncio.timeout(30):
        while "ringback" not in tables():  # noqa: ASYNC110  # the kernel's state tells us nothing by itself
            await asyncio.sleep(0.1)
    return time.monotonic() - began


async def stored(data: Path) -> dict[str, int]:
    """Interactions of numbers nobody we know has, and attempts to call anybody."""
    connection = await asyncpg.connect(Postgres(data / "postgres", Path()).dsn)
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM interactions WHERE number IS NULL OR number NOT LIKE $1) AS strange,"
            " (SELECT count(*) FROM attempts) AS attempts",
            f"{CUSTOMERS}%",
        )
    finally:
        await connection.close()
    assert row
    return {"strange_interactions": row["strange"], "attempts": row["attempts"]}


class Cost:
    """What the four parts take from now on."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._at, self._cpu, self._disk = time.monotonic(), self._seconds(), self._bytes()
        self._memory = self._service()

    def since(self) -> dict[str, float]:
        """CPU in cores, disk in bytes, the service's memory in MiB."""
        return {
            "cores": (self._seconds() - self._cpu) / (time.monotonic() - self._at),
            "disk_bytes": self._bytes() - self._disk,
            "service_mib": self._service() - self._memory,
        }

    def _seconds(self) -> float:
        """Of CPU time, of `up` and all below it."""
        ticks = 0
        left = [int((self._data / "run/up.pid").read_text())]
        while left:
            with contextlib.suppress(OSError):
                pid = left.pop()
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    left += map(int, (thread / "children").read_text().split())
        return ticks / os.sysconf("SC_CLK_TCK")

    def _bytes(self) -> int:
        return sum(each.lstat().st_size for each in self._data.rglob("*") if each.is_file())

    def _service(self) -> float:
        pid = int((self._data / "run/service.pid").read_text())
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def tables() -> str:
    """The kernel's rules in this network namespace."""
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


async def prepare(ports: Ports, token: str) -> None:
    async with Api(f"http://{HERE}:{ports.http}", token) as api:
        await api.put("queues/support", {"name": "support", "numbers": [QUEUE], **FAST})
        for agent in AGENTS:
            await api.put(f"agents/{agent}", {"sip_password": SIP_PASSWORD, "queues": [{"queue": "support"}]})


async def outside(other: int, told: StreamMessage, scenes: list[str]) -> dict[str, Any]:
    """What the other machine saw."""
    inside = ("nsenter", f"--target={other}", "--net", sys.executable, "-m", "tests.faults.siege.outside")
    process = await asyncio.create_subprocess_exec(*inside, json.dumps(asdict(told)), *scenes, stdout=-1, cwd=ROOT)
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return dict(json.loads(out.splitlines()[-1]))


def log_bytes(home: Path) -> int:
    """All that was written: `up` and its service, Asterisk, Postgres."""
    logs = [home / "up.log", *(home / "data").glob("*/*.log*")]
    return sum(each.stat().st_size for each in logs if each.exists())


@contextlib.contextmanager
def wire() -> Iterator[int]:
    """The process whose network is the other machine's."""
    other = subprocess.Popen(["unshare", "--net", "sleep", "3600"])
    try:
        while network_of(str(other.pid)) == network_of("self"):
            pass
        inside = ("nsenter", f"--target={other.pid}", "--net")
        for line in (
            "ip link set lo up",
            f"ip link add here type veth peer name there netns {other.pid}",
            f"ip addr add {HERE}/24 dev here",
            "ip link set here up",
            f"ip route add {OFFICE}/32 dev here src {HERE}",
            *(f"ip route add {each} via {OFFICE}" for each in (TRUNK, GUESSER, FORGED, STRANGERS)),
        ):
            subprocess.run(line.split(), check=True)
        for line in (
            "ip link set lo up",
            *(f"ip addr add {each}/32 dev there" for each in (OFFICE, TRUNK, GUESSER, FORGED)),
            "ip link set there up",
            f"ip route add {HERE}/32 dev there",
            f"ip route add local {STRANGERS} dev lo",  # every address of it can be bound
        ):
            subprocess.run([*inside, *line.split()], check=True)
        yield other.pid
    finally:
        other.kill()
        other.wait()


def network_of(pid: str) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


@contextlib.asynccontextmanager
async def up(home: Path, ports: Ports) -> AsyncIterator[None]:
    options = ["--data-dir", str(home / "data"), "--port-base", str(ports.base), "--seed", "none", "--bind", HERE]
    options += ["--sounds", str(home / "tones"), "--carrier", f"sip:{TRUNK}:{TRUNK_PORT}"]
    with (home / "up.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "routing", "up", *options, stdout=log, stderr=log
        )

    async def is_ready() -> bool:
        assert process.returncode is None, (home / "up.log").read_text()[-2000:]
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.request("GET", f"http://{HERE}:{ports.http}/readyz") as answer:
                return answer.status == 200
        return False

    try:
        async with asyncio.timeout(40):
            while not await is_ready():  # noqa: ASYNC110  # another process's state tells us nothing by itself
                await asyncio.sleep(0.05)
        yield
    except BaseException:
        print((home / "up.log").read_text()[-6000:], file=sys.stderr)
        raise
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 15)


if __name__ == "__main__":
    *wanted, size, seconds = sys.argv[1:]
    run_until_signal(main(wanted, size == "full", float(seconds)))
