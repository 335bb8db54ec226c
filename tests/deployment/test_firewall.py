"""The container `firewall` as a process beside the other parts: its rules come and go, and shut a guesser's port."""

import asyncio
import os
import subprocess

import pytest

from demo.sip.agent import SipAgent
from demo.sip.errors import RegistrationFailed, SipError, SipTimeout
from routing.core.bans import TRIES
from tests.calls.line import Line
from tests.deployment.parts import Parts

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


def rules() -> str:
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


async def test_the_firewall_shuts_a_guesser_s_port_beside_the_phone_and_leaves_no_rules(
    deployed: tuple[Parts, Line],
) -> None:
    """On this machine nobody is ever banned; whoever is not root is told that it cannot be."""
    parts, line = deployed
    agent = await line.agent()
    ports = [f"--sip-port={parts.ports.sip}", f"--tls-port={parts.ports.sip_tls}"]
    firewall = await asyncio.create_subprocess_exec(
        *(*parts.command("firewall"), *ports),
        env=parts.environment("firewall"),
        cwd=parts.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if os.geteuid() != 0:
        _, told = await asyncio.wait_for(firewall.communicate(), 20)
        assert (firewall.returncode, told.count(b"\n")) == (2, 1) and b"NET_RAW" in told
        return
    try:
        assert firewall.stdout
        async with asyncio.timeout(20):
            while b"hears who guesses" not in await firewall.stdout.readline():
                pass
        table = f"inet ringback_{parts.ports.sip}"
        assert table in rules()
        async with SipAgent(agent.id, "127.0.0.1", parts.ports.sip, "a wrong password") as guesser:
            for _ in range(TRIES):
                with pytest.raises(RegistrationFailed):
                    await guesser.register()
            with pytest.raises(SipTimeout):
                await heard_no_more(guesser)
            guesser.unplug()
        await agent.phone.register()
        assert (await line.stage.api.get("bans"))["items"] == []
    finally:
        firewall.terminate()
        await asyncio.wait_for(firewall.communicate(), 10)
    assert table not in rules()


async def heard_no_more(guesser: SipAgent) -> None:
    """The event that tells of the last guess takes a moment."""
    for _ in range(10):
        try:
            await guesser.register(within=1)
        except SipTimeout:
            raise
        except SipError:
            await asyncio.sleep(0.1)
