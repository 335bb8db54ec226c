"""Unpacks Debian packages into a folder of ours, without root and apart from the host's own packages.

apt keeps its state in a temporary folder, Debian's signature is verified as ever, and what
`asterisk.lock.toml` names is compared with its SHA-256. Counterpart: asterisk_package.py says which packages.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from routing.local.install.debian_mirror import mirror
from routing.local.system.errors import SetupError

_MANIFEST = "packages.json"
_KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
_TOOLS = ("apt-get", "apt-config", "dpkg", "dpkg-deb")


@dataclass(frozen=True)
class Locked:
    """One package as it was when the lock was written. `sha256` is of the .deb file."""

    version: str
    sha256: str


def cache_dir() -> Path:
    """Where set-up keeps what it can make again.

    root's own is /var/cache: an unprivileged Asterisk could not read a cache in /root.
    """
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "ringback"
    return Path("/var/cache/ringback") if os.geteuid() == 0 else Path.home() / ".cache" / "ringback"


def architecture() -> str:
    """Debian's name of this machine's architecture, such as `amd64`."""
    require_apt()
    return _run(["dpkg", "--print-architecture"], "cannot ask dpkg for the architecture").strip()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let only one set-up at a time change `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise SetupError(f"cannot write to the cache {folder}: {error.strerror}; set XDG_CACHE_HOME") from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def manifest(folder: Path) -> Mapping[str, str]:
    """Package -> version of what `unpack` put into `folder`; empty if it is not a complete one."""
    try:
        text = (folder / _MANIFEST).read_text()
    except OSError:
        return {}
    return dict(json.loads(text))


def unpack(packages: Mapping[str, Locked | None], target: Path, say: Callable[[str], None]) -> Mapping[str, str]:
    """Download `packages` from Debian's sid and unpack them into the new folder `target`, all or nothing.

    Returns package -> version. Where the mirror has a newer version than the lock, it is taken if Debian signed
    it, and said; an older one may lack what mended a hole, and is refused. Raises SetupError.
    """
    require_apt()
    work = Path(tempfile.mkdtemp(prefix=".unpack-", dir=target.parent))
    try:
        versions = _download(packages, work, say)
        root = work / "root"
        root.mkdir(mode=0o755)
        for deb in sorted((work / "debs").glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(deb), str(root)], f"cannot unpack {deb.name}")
        (root / _MANIFEST).write_text(json.dumps(versions, indent=1))
        root.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return versions


def older(version: str, than: str) -> bool:
    """By Debian's rules, which are not those of any other."""
    if version == than:
        return False
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", than], check=False).returncode == 0


def require_apt() -> None:
    """Raise SetupError where Debian's tools or keys are missing: not Debian, or a very bare one."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise SetupError(
            f"this needs Debian's {', '.join(missing)}: install Asterisk and flite yourself, or use Docker"
        )
    _keyring()


def _download(packages: Mapping[str, Locked | None], work: Path, say: Callable[[str], None]) -> Mapping[str, str]:
    """Put the .deb files into `work/debs`, verified. Returns package -> version."""
    environment = _private_apt(work)
    say(f"fetching {len(packages)} packages of Debian sid, kept apart from this system's own")
    _apt_get(["update"], work, environment)
    _apt_get(["download", *sorted(packages)], work / "debs", environment)
    return dict(_verified(deb, packages, say) for deb in sorted((work / "debs").glob("*.deb")))


def _verified(deb: Path, packages: Mapping[str, Locked | None], say: Callable[[str], None]) -> tuple[str, str]:
    name, version = unquote(deb.name).split("_")[:2]
    lock = packages.get(name)
    if lock and older(version, lock.version):
        raise SetupError(
            f"the mirror has {name} {version}, which is older than {lock.version}, what we know to be good: "
            f"set RINGBACK_DEBIAN_MIRROR to another"
        )
    if lock is None or lock.version != version:
        was = lock.version if lock else "not locked"
        say(f"  {name} {version} (the lock file says {was}; Debian's signature is good)")
        return name, version
    with deb.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != lock.sha256:
            raise SetupError(f"{name} {version} from the mirror is not the file we locked: wrong SHA-256")
    return name, version


def _private_apt(work: Path) -> Mapping[str, str]:
    """Write an apt configuration that touches nothing outside `work`; the environment that makes apt use it."""
    for folder in ("state/lists/partial", "cache/archives/partial", "debs"):
        (work / folder).mkdir(parents=True)
    (work / "state/status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={_keyring()}] {mirror()} sid main\n")
    (work / "apt.conf").write_text("\n".join([*_private_settings(work), *_network_settings(), ""]))
    return {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}


def _private_settings(work: Path) -> list[str]:
    settings = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "state/status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::Etc::Main": "/dev/null",
        "Dir::Etc::Parts": "/dev/null",  # the host's hooks are for the host's packages
        "APT::Architecture": architecture(),
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # frozen mirrors; the signature still has to verify
        "Debug::NoLocking": "1",
    }
    return [f'{key} "{value}";' for key, value in settings.items()]


def _network_settings() -> list[str]:
    """The host's own proxy, retry and clock settings, in the form `apt-config dump` prints them."""
    wanted = re.compile(r"Acquire::(https?::|ForceIPv[46] |Retries |Check-Date )")
    dump = _run(["apt-config", "dump"], "cannot read apt's settings")
    return [line for line in dump.splitlines() if wanted.match(line)]


def _keyring() -> Path:
    for name in _KEYRINGS:
        if (path := Path("/usr/share/keyrings") / name).exists():
            return path
    raise SetupError("Debian's keys are needed to verify packages: install debian-archive-keyring as root")


def _apt_get(arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> None:
    command = ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", *arguments]
    _run(command, f"`apt-get {arguments[0]}` of Debian sid failed", cwd=cwd, environment=environment)


def _run(
    command: list[str],
    complaint: str,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What the command prints. Its last error line becomes part of a SetupError."""
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise SetupError(f"{complaint}: {(lines or ['it said nothing'])[0].removeprefix('E:').strip()}")
    return done.stdout
