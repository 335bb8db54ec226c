"""A Postgres of our own in a data directory: made, started, found again and stopped. For `up` and for tests.

It listens on a unix socket only, which the service's account may use, and root (access.py).
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from routing.local.postgres import access
from routing.local.system.errors import SetupError
from routing.local.system.processes import Process, find, spawn
from routing.local.system.users import POSTGRES, SERVICE, User, account, confined, give, require_enterable
from routing.store import roles

_POLL = 0.01  # seconds between looks at postmaster.pid: Postgres has no other way to say "ready" to a parent
_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un
_DATABASE = "ringback"


@dataclass(frozen=True)
class Postgres:
    """`home` is the folder it lives in: `home/data` the cluster, `home/postgres.log` what it says."""

    home: Path
    bin_dir: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def dsn(self) -> str:
        """The database as its owner."""
        return self.dsn_of(_DATABASE)

    @property
    def service_dsn(self) -> str:
        """As the service."""
        return self.dsn_of(_DATABASE, roles.SERVICE)

    def dsn_of(self, database: str, role: str = access.OWNER) -> str:
        """The same server, another database: tests make their own."""
        return f"postgresql:///{database}?host={quote(str(self.socket_dir), safe='/')}&user={role}"

    @property
    def socket_dir(self) -> Path:
        """`home/socket`, or where that is too long a path for a socket, a short one made from its hash."""
        wanted = self.home / "socket"
        if len(os.fsencode(wanted / ".s.PGSQL.5432.lock")) < _SOCKET_PATH_LIMIT:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"ringback-{os.geteuid()}-{digest}"

    def prepare(self) -> None:
        """Create the cluster unless it is there. An interrupted initdb leaves nothing that counts."""
        user = account(POSTGRES)
        self.home.mkdir(parents=True, exist_ok=True)
        require_enterable(self.home, user)
        if (self.data / "PG_VERSION").exists():
            self._require_same_version()
            if user:
                give(self.data, user)
            return
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        _make_private(draft, user)
        self._initdb(draft, user)
        draft.rename(self.data)

    async def start(self, *, patience: float = 30) -> Process:
        """Start on a prepared cluster and return once it takes connections and has our database."""
        user = account(POSTGRES)
        self.make_socket_dir()
        self._drop_stale_pid_file()
        access.write(self.home, user)
        process = spawn(self._command(), log=self.log, cwd=self.data, user=user)
        try:
            await self._wait_ready(process, patience)
            await self._create_database()
        except BaseException:
            process.send(signal.SIGQUIT)
            raise
        return process

    def make_socket_dir(self) -> None:
        """For Postgres' account; the service's may enter it and, by its group, use the socket that is made there.
        Raise SetupError if somebody else made it: in /tmp anyone can."""
        user, service = account(POSTGRES), account(SERVICE)
        if user and self.socket_dir.parent == self.home and self.socket_dir.is_dir():
            give(self.socket_dir, user)  # an earlier Ringback had another account
        _make_private(self.socket_dir, user)
        if user and service:
            os.chown(self.socket_dir, user.uid, service.gid)
            self.socket_dir.chmod(0o2710)

    def adopt(self) -> Process | None:
        """The server already running on this cluster, whoever started it; None if none does."""
        return find(self.data / "postmaster.pid", "-D", str(self.data))

    def adopt_as_now(self) -> Process | None:
        """Only if it was started as we would start it: an earlier Ringback let others in."""
        return find(self.data / "postmaster.pid", *map(str, self._command()[1:]))

    async def stop(self, process: Process, *, patience: float = 3) -> None:
        """Fast stop: clients are cut off, everything committed is on disk anyway."""
        await process.stop(signal.SIGINT, patience=patience)
        if self.socket_dir.parent != self.home:
            with contextlib.suppress(OSError):
                self.socket_dir.rmdir()

    def _command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0770" if os.geteuid() == 0 else "0700",
            **access.settings(self.home),
            "port": "5432",
            "max_connections": "60",
            # A promise made to a caller is on disk before it is spoken:
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            # Its log quotes no rows and no values, hence no numbers:
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",  # our statements are short; compiling them costs more than it saves
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.bin_dir / "postgres", "-D", self.data, *options]

    def _initdb(self, folder: Path, user: User | None) -> None:
        done = subprocess.run(
            [
                *confined(user),
                self.bin_dir / "initdb",
                *("-D", folder, "--username", access.OWNER, "--auth", "peer"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums", "--no-instructions"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SetupError(f"initdb in {folder} failed: {_last_line(done.stderr)}")

    def _require_same_version(self) -> None:
        made = (self.data / "PG_VERSION").read_text().strip()
        told = subprocess.run(
            [self.bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        if f" {made}." not in told:
            raise SetupError(
                f"{self.data} was made by PostgreSQL {made}, not by{told.partition(')')[2].rstrip()}: "
                f"set PGBIN to the bin folder of PostgreSQL {made}"
            )

    def _drop_stale_pid_file(self) -> None:
        """After a crash Postgres trusts the old pid if anyone has it by now; we know better."""
        if self.adopt() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _wait_ready(self, process: Process, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                while not self._says_ready(process.pid):
                    if not process.alive:
                        await process.wait()
                        raise SetupError(f"Postgres did not start: {self._last_words()}")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise SetupError(f"Postgres was not ready in {patience:.0f} s: {self._last_words()}") from None

    def _says_ready(self, pid: int) -> bool:
        """Line 1 of postmaster.pid is the pid, line 8 the status (src/include/utils/pidfile.h)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self.dsn_of("postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", _DATABASE):
                await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()

    def _last_words(self) -> str:
        return f"{_last_line(self.log.read_text(errors='replace'))} ({self.log})"


def _make_private(folder: Path, user: User | None) -> None:
    """For that user, who may let a group in. A folder in /tmp that somebody else put there is refused, not used."""
    owner = user.uid if user else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
        if user:
            os.chown(folder, user.uid, user.gid)
    except FileExistsError:
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != owner or state.st_mode & 0o067:
            raise SetupError(f"{folder} is not a private folder of its Postgres user: remove it") from None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
