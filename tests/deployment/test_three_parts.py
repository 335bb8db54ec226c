"""A call through the three parts of docker-compose.yml, started one by one; restarts, backups, access to Asterisk."""

import asyncio
import contextlib
import os
import time
from pathlib import Path

import aiohttp
import pytest

from demo.sip.agent import SipAgent
from demo.sip.errors import RegistrationFailed
from routing.local.asterisk.prompts import TONES
from tests.calls.desk import hear_each_other, talk
from tests.calls.line import Line
from tests.deployment.parts import ROOT, Parts

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caller_asks_for_a_callback_and_talks_with_the_agent(deployed: tuple[Parts, Line]) -> None:
    _, line = deployed
    talking = await talk(line)
    await talking.back.hangup()
    await talking.offer.ended()
    assert len(talking.customer.invites) == 1


async def test_no_secret_is_in_a_command_line_or_an_environment(deployed: tuple[Parts, Line]) -> None:
    parts, _ = deployed
    passwords = [path.read_bytes() for path in parts.secrets.iterdir()]
    assert len(passwords) == 5
    for service, process in parts.processes.items():
        assert not any(password in _told(process.pid) for password in passwords), service


def _told(pid: int) -> bytes:
    return b"".join(Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ"))


async def test_a_restart_of_the_service_touches_no_call(deployed: tuple[Parts, Line]) -> None:
    """An upgrade: SIGTERM, a new process. Two talk, two wait, one has asked for a callback: nobody notices."""
    parts, line = deployed
    talking = await talk(line)
    waiting = [await line.call(line.caller()) for _ in range(2)]
    for call in waiting:
        await call.hear(TONES["music"])
    promised = line.caller()
    asked = await line.callback(promised)
    calls = [talking.offer, talking.back, *waiting]
    for call in calls:
        call.reset_gaps()

    at = time.monotonic()
    await parts.stop("service")
    await parts.start("service")
    print(f"\nservice replaced in {time.monotonic() - at:.2f} s")

    await asyncio.gather(talking.offer.hear(450), talking.back.hear(350))
    for call in waiting:
        await call.hear(TONES["music"], 10)
    assert not any(call.end for call in calls)
    silences = [call.gaps.silence for call in calls]
    print(f"longest silence heard: {max(silences):.2f} s")
    assert max(silences) < 2
    await line.stage.when(talking.customer.number, status="connected", stage="talking", within=10)
    await line.stage.when(promised.number, status="open", subtype="callback")

    await talking.back.hangup()
    await talking.offer.ended()
    for call in waiting:
        await call.hangup()
    await line.stage.api.post(f"interactions/{asked['id']}/cancel")
    assert len(talking.customer.invites) == 1


async def test_what_apply_stored_answers_within_a_second_in_the_running_service(
    deployed: tuple[Parts, Line], tmp_path: Path
) -> None:
    """A queue's number, and an agent's phone."""
    parts, line = deployed
    (tmp_path / "agent.secret").write_text("a-sip-secret")
    (tmp_path / "site.toml").write_text(
        '[[queues]]\nname = "applied"\nnumbers = ["777"]\n'
        '[[agents]]\nid = "1777"\nsip_password_file = "agent.secret"\nqueues = [{ queue = "applied" }]\n'
    )
    caller = line.caller()
    assert await (await caller.call("777")).final() == 404
    assert (await parts.asked("apply", str(tmp_path))).splitlines() == [
        "queue applied: created",
        "agent 1777: created",
    ]
    at = time.monotonic()
    while await (call := await caller.call("777")).final() != 200:
        assert time.monotonic() - at < 1
    print(f"\nanswered {time.monotonic() - at:.2f} s after apply")
    async with SipAgent("1777", "127.0.0.1", line.stage.ports.sip, "a-sip-secret") as phone:
        while not phone.registered:
            assert time.monotonic() - at < 1
            with contextlib.suppress(RegistrationFailed):
                await phone.register()
    await call.hangup()


def commands(section: str) -> list[str]:
    """The indented lines of a section of docs/operations.md."""
    text = (ROOT / "docs/operations.md").read_text()
    _, _, rest = text.partition(f"## {section}\n")
    return [line.strip() for line in rest.partition("\n## ")[0].splitlines() if line.startswith("    ")]


async def test_a_backup_restored_as_the_documentation_says_has_the_open_callbacks_and_they_are_dialled(
    deployed: tuple[Parts, Line],
) -> None:
    parts, line = deployed
    customer = line.caller()
    asked = await line.callback(customer)
    dump = parts.folder / "ringback.dump"
    dump.touch(0o644)
    dump.chmod(0o644)  # of a time when others could read it
    await obey(parts, commands("Backup"))
    assert dump.stat().st_mode & 0o777 == 0o600
    await line.stage.api.post(f"interactions/{asked['id']}/cancel")
    await line.stage.when(customer.number, status="closed")
    await obey(parts, commands("Restore"))

    restored = await line.stage.when(customer.number, status="open", subtype="callback", within=10)
    assert restored["id"] == asked["id"]
    agent = await line.agent()
    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    back.answer()
    await hear_each_other(offer, back)
    await back.hangup()
    await offer.ended()


async def obey(parts: Parts, lines: list[str]) -> None:
    """systemd is not there: its two commands are carried out by hand, everything else is run as it stands."""
    assert lines
    for line in lines:
        match line.split():
            case ["systemctl", "stop", "ringback"]:
                await parts.stop("service")
            case ["systemctl", "start", "ringback"]:
                await parts.start("service")
            case _:
                text = line.replace("/etc/ringback/secrets", str(parts.secrets))
                port = {"PGPORT": str(parts.postgres_port)}
                shell = await asyncio.create_subprocess_exec(
                    "sh", "-ec", text, cwd=parts.folder, env=os.environ | port
                )
                assert await asyncio.wait_for(shell.wait(), 30) == 0, line


async def test_asterisk_answers_ari_and_ami_to_the_service_s_network_only_password_or_not(
    deployed: tuple[Parts, Line],
) -> None:
    """127.0.0.2 reaches the ports, and has the passwords, but is not in --control-net."""
    parts, _ = deployed
    ari, ami = ((parts.secrets / f"{name}_password").read_text() for name in ("ari", "ami"))
    headers = {"Authorization": aiohttp.encode_basic_auth("ringback", ari)}
    statuses = {source: await ari_status(parts, source, headers) for source in ("127.0.0.1", "127.0.0.2")}
    assert statuses["127.0.0.1"] == 200
    assert statuses["127.0.0.2"] in (401, 403)
    assert b"Response: Success" in await login(parts, "127.0.0.1", ami)
    assert b"Response: Error" in await login(parts, "127.0.0.2", ami)


async def ari_status(parts: Parts, source: str, headers: dict[str, str]) -> int:
    url, connector = f"http://127.0.0.1:{parts.ports.ari}/ari/channels", aiohttp.TCPConnector(local_addr=(source, 0))
    async with aiohttp.ClientSession(connector=connector) as http, http.get(url, headers=headers) as answer:
        return answer.status


async def login(parts: Parts, source: str, password: str) -> bytes:
    """What AMI says to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", parts.ports.ami, local_addr=(source, 0))
    writer.write(f"Action: Login\r\nUsername: ringback\r\nSecret: {password}\r\n\r\n".encode())
    told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    return told


async def test_asterisk_answers_ari_and_ami_only_with_the_password(deployed: tuple[Parts, Line]) -> None:
    parts, _ = deployed
    async with aiohttp.ClientSession() as http:
        for user, password in (("ringback", "wrong"), ("nobody", "x")):
            headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
            async with http.get(f"http://127.0.0.1:{parts.ports.ari}/ari/channels", headers=headers) as answer:
                assert answer.status == 401
    assert b"Response: Error" in await login(parts, "127.0.0.1", "wrong")
