"""An Asterisk of our own in a folder: configured, started, found again and stopped. For `up` and for tests.

It survives the death of who started it; `adopt` finds it again, live calls included.
"""

import asyncio
import os
import re
import resource
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from routing.local.asterisk import config
from routing.local.install.asterisk_package import AsteriskBinary, check_version
from routing.local.system import certificates
from routing.local.system.certificates import Certificate
from routing.local.system.credentials import Login
from routing.local.system.errors import SetupError
from routing.local.system.ports import Ports
from routing.local.system.processes import Process, find, spawn
from routing.local.system.users import ASTERISK, User, account, give, require_enterable

_POLL = 0.02  # seconds between questions to ARI while Asterisk starts
_ERROR = re.compile(r"\] ERROR\[\d+\](?:\[C-\w+\])?:? (.*)")
_MOST_FILES = 65536
_WRITABLE = ("var", "spool", "run", "log")
_SOCKET_PATH_LIMIT = 107  # bytes in sockaddr_un


@dataclass(frozen=True)
class AsteriskInstance:
    """`home` is the folder it lives in, `sounds` what prompts.py made, `carrier` the trunk's SIP URI.

    SIP and RTP use `bind`. ARI and AMI listen on `control` and answer to `control_net` only: this machine, unless
    the service has one of its own. `certificate`: for SIP over TLS, None for one of our own making.
    """

    home: Path
    binary: AsteriskBinary
    sounds: Path
    ports: Ports
    ari: Login
    ami: Login
    carrier: str
    bind: str = "127.0.0.1"
    external_address: str | None = None
    control: str = "127.0.0.1"
    control_net: str = "127.0.0.1/32"
    certificate: Certificate | None = None
    authorities: Path | None = None  # whom the certificate of a trunk over TLS must be from; None: the system's

    @property
    def ari_url(self) -> str:
        return f"http://{self.control}:{self.ports.ari}/ari"

    @property
    def authority(self) -> Path:
        """Whom phones must trust when the certificate is of our own making."""
        return self.home / "tls/ca.crt"

    @property
    def log(self) -> Path:
        """What it says. Not in a folder of Asterisk's account, which could put a link there for us to write to."""
        return self.home / "asterisk.log"

    def write_config(self) -> None:
        """Write the whole configuration anew. Raise SetupError for a setting that cannot be."""
        user = account(ASTERISK)
        self._require_short_path()
        self._make_folders(user)
        etc = self.home / "etc"
        for name, template in config.templates().items():
            _write_guarded(etc / name, config.render(template, self._values()), user)
        for name, content in self._tls_files().items():
            _write_guarded(etc / name, content, user)
        for path in (self.home, self.binary.root, self.sounds):
            _require_open(path, user)

    async def start(self, *, patience: float = 15) -> Process:
        """Start on a written configuration; return once ARI answers. Raise SetupError with the reason otherwise."""
        seen = self.log.stat().st_size if self.log.exists() else 0
        command = [*self.binary.argv, "-f", "-C", str(self._main_file)]
        environment = {"PATH": os.defpath, "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        process = spawn(command, log=self.log, cwd=self.home, user=account(ASTERISK), env=environment)
        try:
            await self.wait_ready(process, patience=patience, log_from=seen)
        except BaseException:
            await process.stop(signal.SIGKILL, patience=1)
            raise
        return process

    async def wait_ready(self, process: Process, *, patience: float, log_from: int = 0) -> None:
        """Wait until ARI answers; then the log must be free of errors and the version new enough."""
        auth = aiohttp.encode_basic_auth(self.ari.username, self.ari.password)
        try:
            async with asyncio.timeout(patience), aiohttp.ClientSession() as session:
                while (told := await self._info(session, auth)) is None:
                    if not process.alive:
                        raise SetupError(f"Asterisk did not start: {self._complaint(log_from)}")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise SetupError(f"Asterisk was not ready in {patience:g} s: {self._complaint(log_from)}") from None
        if errors := self._errors(log_from):
            raise SetupError(f"Asterisk started with an error: {errors[0]} ({self.log})")
        check_version(told)

    def adopt(self) -> Process | None:
        """The Asterisk already running in this folder, whoever started it; None if none does."""
        return find(self.home / "run/asterisk.pid", "-C", str(self._main_file))

    async def stop(self, process: Process, *, patience: float = 4) -> None:
        """End all calls and Asterisk with them."""
        await process.stop(signal.SIGTERM, patience=patience)

    @property
    def _main_file(self) -> Path:
        return self.home / "etc/asterisk.conf"

    def _values(self) -> dict[str, object]:
        folder = {name: self.home / name for name in ("etc", "var", "data", "spool", "run", "log")}
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _MOST_FILES)
        return {
            **{name.upper(): path for name, path in folder.items()},
            "MODULES": self.binary.modules,
            "MUSIC": self.sounds / "music",
            "MAX_FILES": files,
            "ENTITY_ID": config.entity_id(self.home),
            "BIND": f"[{self.bind}]" if ":" in self.bind else self.bind,
            "EXTERNAL": config.external_lines(self.external_address, self.bind),
            "HTTP": self.ports.ari,
            "AMI": self.ports.ami,
            "SIP": self.ports.sip,
            "RTP_FIRST": self.ports.rtp[0],
            "RTP_LAST": self.ports.rtp[1],
            "MAX_CALLS": config.most_calls(self.ports.rtp, files),
            "SIP_TLS": self.ports.sip_tls,
            "CONTROL": self.control,
            "CONTROL_NET": self.control_net,
            "CARRIER": config.carrier_contact(self.carrier),
            "CARRIER_ENCRYPTION": "sdes" if config.is_encrypted(self.carrier) else "no",
            "CARRIER_HOSTS": config.carrier_host(self.carrier),
            "ARI_USER": self.ari.username,
            "ARI_PASSWORD": self.ari.password,
            "AMI_USER": self.ami.username,
            "AMI_PASSWORD": self.ami.password,
        }

    def _tls_files(self) -> dict[str, str]:
        names = [name for name in ("127.0.0.1", self.bind, self.external_address) if name]
        shown = self.certificate or certificates.own(self.authority.parent, names)
        try:
            files = {"tls.crt": shown.chain.read_text(), "tls.key": shown.key.read_text()}
        except OSError as error:
            raise SetupError(f"cannot read {error.filename}: {error.strerror}") from None
        return files | {"tls-trusted.crt": certificates.trusted(self.authorities, shown.chain)}

    def _make_folders(self, user: User | None) -> None:
        """Asterisk's account may write what it must; its configuration it may only read."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            for name in ("etc", "data", *_WRITABLE):
                (self.home / name).mkdir(mode=0o750, exist_ok=True)
        except OSError as error:
            raise SetupError(f"cannot write to {self.home}: {error.strerror}") from None
        links = {name: self.binary.data / name for name in ("documentation", "rest-api")}
        for name, target in {**links, "sounds": self.sounds / "sounds"}.items():
            link = self.home / "data" / name
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        if user:
            for name in ("etc", "data"):
                shutil.chown(self.home / name, "root", user.gid)
            for name in _WRITABLE:
                give(self.home / name, user)

    async def _info(self, session: aiohttp.ClientSession, auth: str) -> str | None:
        """The version Asterisk tells; None while it is not ready."""
        try:
            async with session.get(f"{self.ari_url}/asterisk/info", headers={"Authorization": auth}) as response:
                if response.status == 401:
                    raise SetupError(f"another Asterisk answers on port {self.ports.ari}: stop it")
                content = await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, ValueError):
            return None
        return str(content["system"]["version"]) if content else None

    def _complaint(self, log_from: int) -> str:
        """The first error it told, else the last thing it said."""
        said = [line for line in self._said(log_from).split("\n") if line.strip()][-1:]
        return (self._errors(log_from) or said or ["it said nothing"])[0]

    def _errors(self, log_from: int) -> list[str]:
        return _ERROR.findall(self._said(log_from))

    def _said(self, log_from: int) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(log_from)
            return file.read().decode(errors="replace")

    def _require_short_path(self) -> None:
        path = self.home / "run/asterisk.ctl"
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            raise SetupError(f"{path} is too long a path for a socket: choose a shorter --data-dir")


def _require_open(path: Path, user: User | None) -> None:
    try:
        require_enterable(path, user)
    except SetupError:
        who = user.name if user else "we"
        raise SetupError(
            f"{path} is closed to {who}, who runs Asterisk: use another data or cache directory"
        ) from None


def _write_guarded(path: Path, content: str, user: User | None) -> None:
    """Replace a file in one step; it may hold passwords, so only Asterisk's account and we can read it."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    mode = 0o640 if user else 0o600
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        if user:
            os.chown(file.fileno(), 0, user.gid)
        file.write(content)
    draft.replace(path)
