"""Two machines and a wire between them: `ringback up` on one, an agent's phone on the other. Run as a program, by
test_network.py, in a network namespace of its own; it makes the other and the veth pair, and all goes with it.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from demo.api import Api
from demo.folder import enterable_folder
from demo.sip.carrier import Carrier
from routing.local.asterisk import prompts
from routing.local.system.ports import Ports, reserved
from routing.runtime.until_signal import run_until_signal
from tests.calls.line import FAST

HERE, EXTERNAL, THERE = "192.168.77.1", "203.0.113.10", "198.51.100.2"
"""This machine in its own network and as others see it, and the other machine somewhere out there."""
ROOT = Path(__file__).parents[2]
PASSWORD = "a-sip-secret"


async def main(bind: str, external: str | None) -> None:
    here = "127.0.0.1" if bind == "0.0.0.0" else bind
    with wire() as other, reserved() as ports, enterable_folder("net") as home:
        prompts.tones(home / "tones")
        async with up(home, ports, bind, external, here):
            token = (home / "data/admin.token").read_text().strip()
            carrier = Carrier(here, ports.carrier, asterisk=(here, ports.sip))
            async with Api(f"http://{here}:{ports.http}", token) as api, carrier:
                await a_call(api, carrier, other, external or bind, ports)


async def a_call(api: Api, carrier: Carrier, other: int, server: str, ports: Ports) -> None:
    """The phone over there takes a customer's call; what it tells is passed on."""
    await api.put("queues/support", {"name": "support", "numbers": ["600"], **FAST})
    agent = {"sip_password": PASSWORD, "queues": [{"queue": "support"}]}
    await api.put("agents/1001", agent)
    private = [str(port) for port in (ports.ari, ports.ami)]
    words = [THERE, server, str(ports.sip), PASSWORD, *private]
    phone = await asyncio.create_subprocess_exec(
        *("nsenter", f"--target={other}", "--net", sys.executable, "-m", "tests.deployment.phone_elsewhere", *words),
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    await until(lambda: reachable(api))
    await api.put("agents/1001/state", {"state": "ready"})
    call = await carrier.phone("+4915112345678", tone=450).call("600")
    assert phone.stdout
    _, told = await asyncio.gather(call.hear(350, 15), asyncio.wait_for(phone.stdout.readline(), 15))
    await call.hangup()
    assert await asyncio.wait_for(phone.wait(), 15) == 0
    print(json.dumps({**json.loads(told), "both_heard": True}))


async def reachable(api: Api) -> bool:
    return bool((await api.get("agents/1001"))["phone"] == "reachable")


async def until(holds: Any, within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110  # another process's state tells us nothing by itself
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def wire() -> Iterator[int]:
    """The process whose network is the other machine's."""
    other = subprocess.Popen(["unshare", "--net", "sleep", "120"])
    try:
        while network_of(str(other.pid)) == network_of("self"):
            pass
        inside = ("nsenter", f"--target={other.pid}", "--net")
        for line in (
            "ip link set lo up",
            f"ip link add here type veth peer name there netns {other.pid}",
            f"ip addr add {HERE}/24 dev here",
            f"ip addr add {EXTERNAL}/32 dev lo",
            "ip link set here up",
            f"ip route add {THERE}/32 dev here src {HERE}",
        ):
            subprocess.run(line.split(), check=True)
        for line in (
            "ip link set lo up",
            f"ip addr add {THERE}/32 dev there",
            "ip link set there up",
            f"ip route add {HERE}/32 dev there",
            f"ip route add {EXTERNAL}/32 dev there",
        ):
            subprocess.run([*inside, *line.split()], check=True)
        yield other.pid
    finally:
        other.kill()
        other.wait()


def network_of(pid: str) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


@contextlib.asynccontextmanager
async def up(home: Path, ports: Ports, bind: str, external: str | None, here: str) -> AsyncIterator[None]:
    options = ["--data-dir", str(home / "data"), "--port-base", str(ports.base), "--seed", "none", "--bind", bind]
    options += ["--sounds", str(home / "tones"), *(["--external-address", external] if external else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "routing", "up", *options, stdout=sys.stderr)

    async def is_ready() -> bool:
        assert process.returncode is None
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.request("GET", f"http://{here}:{ports.http}/readyz") as answer:
                return answer.status == 200
        return False

    try:
        await until(is_ready, 40)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 15)


if __name__ == "__main__":
    run_until_signal(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
