"""`ringback down`: ends whatever still runs on a data directory, and nothing else."""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

from routing.local.firewall.table import Table
from routing.local.postgres.server import Postgres
from routing.local.system.errors import SetupError
from routing.local.system.home import Home
from routing.local.system.ports import Ports
from routing.local.system.processes import Process, find


async def stop_all(data_dir: Path) -> list[str]:
    """Names of what was stopped. A living `up` ends its parts itself; what a killed one left is ended here."""
    home = Home(data_dir)
    stopped = []
    if up := home.running_up():
        await up.stop(signal.SIGTERM, patience=12)
        stopped.append("up")
    if service := find(home.pid_file("service"), "serve", str(data_dir)):
        await service.stop(signal.SIGTERM, patience=3)
        stopped.append("service")
    others = {"asterisk": _asterisk(home), "postgres": Postgres(home.postgres, Path()).adopt()}
    stopped += [name for name, process in others.items() if process]
    await asyncio.gather(*(p.stop(_SIGNALS[n], patience=4) for n, p in others.items() if p))
    await _forget_rules(home)
    for name in ("service", "asterisk", "postgres"):
        home.pid_file(name).unlink(missing_ok=True)
    return stopped


async def _forget_rules(home: Home) -> None:
    """Those that an `up` that was killed left in the kernel, if it had the right to make some."""
    with contextlib.suppress(OSError, ValueError, SetupError):
        ports = Ports.from_base(json.loads(home.addresses.read_text())[0])
        await Table(ports.sip, ports.sip_tls).remove()


def _asterisk(home: Home) -> Process | None:
    return find(home.asterisk / "run/asterisk.pid", "-C", str(home.asterisk / "etc/asterisk.conf"))


_SIGNALS = {"asterisk": signal.SIGTERM, "postgres": signal.SIGINT}
