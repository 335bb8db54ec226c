"""`ringback doctor`: looks at everything Ringback depends on, changes nothing, and says how to mend it."""

import asyncio
import os
import shutil
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg

from routing.local.firewall import table
from routing.local.install import asterisk_package, debian, postgres_binaries
from routing.local.postgres.server import Postgres
from routing.local.system import certificates
from routing.local.system.credentials import load_or_create
from routing.local.system.errors import SetupError
from routing.local.system.home import Home
from routing.local.system.ports import Ports
from routing.local.system.users import ASTERISK, POSTGRES, SERVICE, account, require_enterable

_LEAST_DISK = 1 << 30


@dataclass(frozen=True)
class Finding:
    what: str
    told: str
    failed: bool = False

    @property
    def mark(self) -> str:
        return "FAIL" if self.failed else "ok"


class _NotDone(Exception):
    """What a check found missing and how to mend it."""


async def examine(data_dir: Path, port_base: int) -> list[Finding]:
    """One finding per dependency; a check that fails never keeps another from being made."""
    home, ports = Home(data_dir), Ports.from_base(port_base)
    findings = [
        _find("Python", _python),
        _find("PostgreSQL", _postgres_binaries),
        _find("Asterisk", _asterisk_binary),
        _find("prompts", _prompts),
        _find("openssl", _openssl),
        _find("accounts", _accounts),
        _find("nftables", _nftables),
        _find("data directory", lambda: _data_dir(home)),
        _find("disk", lambda: _disk(data_dir)),
    ]
    up = home.running_up()
    if up is None:
        return [*findings, _find("ports", lambda: _ports(ports))]
    up.close()
    return [*findings, *[finding async for finding in _running(home, ports)]]


def _find(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, check())
    except (SetupError, _NotDone, OSError) as error:
        return Finding(what, str(error), failed=True)


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _postgres_binaries() -> str:
    bin_dir = postgres_binaries.find()
    if bin_dir is None:
        raise _NotDone(f"no PostgreSQL {postgres_binaries.OLDEST} or newer: run `make setup`, as root")
    return f"{postgres_binaries.version(bin_dir)} in {bin_dir}"


def _asterisk_binary() -> str:
    others: list[str] = []
    binary = asterisk_package.find(others.append)
    if binary is None:
        raise _NotDone("; ".join(["none that is new enough: run `make setup`", *others]))
    return "; ".join([f"{binary.version} in {binary.root}", *(f"{other}: remove it" for other in others)])


def _prompts() -> str:
    made = sorted(debian.cache_dir().glob("sounds-*"))
    if not made:
        raise _NotDone("not made yet: run `make setup`")
    return str(made[-1])


def _openssl() -> str:
    certificates.require_openssl()
    return "makes the certificate for SIP over TLS"


def _nftables() -> str:
    if os.geteuid() != 0:
        return "not ours to use without root: guessers of SIP passwords are not shut out (docs/security.md)"
    if (program := table.find()) is None:
        raise _NotDone("missing: run `make setup`, as root, or guessers of SIP passwords are not shut out")
    return f"shuts out who guesses SIP passwords ({program})"


def _accounts() -> str:
    """Raise SetupError for one that is missing."""
    names = [user.name for name in (SERVICE, ASTERISK, POSTGRES) if (user := account(name))]
    return f"the parts run as {', '.join(names)}" if names else "everything runs as you, as you are not root"


def _data_dir(home: Home) -> str:
    existing = next(path for path in (home.root, *home.root.parents) if path.exists())
    for name in (SERVICE, ASTERISK, POSTGRES):
        require_enterable(existing, account(name))
    return f"{home.root}{'' if existing == home.root else ' (will be made)'}"


def _disk(data_dir: Path) -> str:
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < _LEAST_DISK:
        raise _NotDone(f"{free >> 20} MB free at {existing}: make room for at least 1 GB")
    return f"{free >> 30} GB free at {existing}"


def _ports(ports: Ports) -> str:
    ports.require_free("127.0.0.1")
    return f"those from {ports.base} are free"


async def _running(home: Home, ports: Ports) -> AsyncIterator[Finding]:
    """What can be asked while `up` runs."""
    yield await _ask("Postgres", _ask_postgres(Postgres(home.postgres, Path()).dsn))
    ari = load_or_create(home.credentials).ari
    token = b64encode(f"{ari.username}:{ari.password}".encode()).decode()
    yield await _ask("ARI", _ask_http(f"http://127.0.0.1:{ports.ari}/ari/asterisk/ping", f"Basic {token}"))
    yield await _ask("AMI", _ask_ami(ports.ami))
    yield await _ask("service", _ask_http(f"http://127.0.0.1:{ports.http}/readyz"))


async def _ask(what: str, question: Awaitable[str]) -> Finding:
    try:
        async with asyncio.timeout(3):
            return Finding(what, await question)
    except (OSError, TimeoutError, aiohttp.ClientError, asyncpg.PostgresError, _NotDone) as error:
        hint = "see the log of `ringback up`, or stop it with `ringback down` and start it again"
        return Finding(what, f"{error or 'no answer'}: {hint}", failed=True)


async def _ask_postgres(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return f"answers, version {await connection.fetchval('SHOW server_version')}"
    finally:
        await connection.close()


async def _ask_http(url: str, authorization: str = "") -> str:
    headers = {"Authorization": authorization} if authorization else {}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        if response.status != 200:
            raise _NotDone(f"{url} says {response.status}")
        return f"{url} answers"


async def _ask_ami(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        banner = (await reader.readline()).decode(errors="replace").strip()
    finally:
        writer.close()
    if not banner.startswith("Asterisk Call Manager"):
        raise _NotDone(f"port {port} is not AMI")
    return f"port {port} answers: {banner}"
