"""The data directory of one Ringback on this machine: what lies where, and who may use it now."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from routing.local.system.errors import SetupError
from routing.local.system.processes import Process, read_pid
from routing.local.system.users import User


def default_data_dir() -> Path:
    """As root not below /root: the accounts the parts run as cannot enter it."""
    if os.geteuid() == 0:
        return Path("/var/lib/ringback")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "ringback"


@dataclass(frozen=True)
class Home:
    """`root` is absolute. Secrets in it are files only their owner can read."""

    root: Path

    @property
    def admin_token(self) -> Path:
        return self.root / "admin.token"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def asterisk(self) -> Path:
        return self.root / "asterisk"

    @property
    def recordings(self) -> Path | None:
        """The operator's own prompts, `<language>/<key>.wav`, when there are any."""
        folder = self.root / "recordings"
        return folder if folder.is_dir() else None

    @property
    def run(self) -> Path:
        """Pid files and what concerns the running processes only."""
        return self.root / "run"

    @property
    def addresses(self) -> Path:
        """Where the Asterisk that runs listens: its port base comes first."""
        return self.run / "asterisk.json"

    @property
    def service_log(self) -> Path:
        return self.root / "service.log"

    def pid_file(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def prepare(self) -> None:
        """Make the folders; others may pass through (the parts' accounts must), secrets are guarded one by one."""
        try:
            self.run.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"cannot make the data directory {self.root}: {error.strerror}") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one `up` of this data directory. Raise SetupError when another lives; the kernel knows."""
        fd = os.open(self.pid_file("up"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(fd, 0)
        finally:
            os.close(fd)

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = read_pid(self.pid_file("up"))
            raise SetupError(f"`ringback up` already runs on {self.root} (pid {pid})") from None

    def running_up(self) -> Process | None:
        """The living `up` of this data directory: whoever holds the lock."""
        try:
            with self.pid_file("up").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = read_pid(self.pid_file("up"))
            return Process(pid) if pid else None
        except OSError:
            return None
        return None


def write_secret(path: Path, text: str, owner: User | None = None) -> None:
    """Replace a file in one step with one that only its owner can read: `owner`, or we ourselves."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if owner:
            os.chown(file.fileno(), owner.uid, owner.gid)
        file.write(text)
    draft.replace(path)
