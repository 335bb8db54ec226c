"""What `ringback up` was told, and what follows from it: addresses, and the service's settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from routing.core.events import NumberFormat
from routing.local.system.certificates import Certificate
from routing.local.system.credentials import Credentials
from routing.local.system.home import Home, write_secret
from routing.local.system.ports import Ports
from routing.local.system.users import SERVICE, account

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound


@dataclass(frozen=True)
class Options:
    """`data_dir` is absolute. `carrier`: the trunk's SIP URI, None for the simulated one on `ports.carrier`."""

    data_dir: Path
    ports: Ports
    bind: str = "127.0.0.1"
    external_address: str | None = None
    demo_seed: bool = True
    carrier: str | None = None
    trunk_number_format: NumberFormat = NumberFormat.AUTO
    sounds: Path | None = None  # a folder prompts.py made; None: the spoken ones
    log_level: str = "info"
    service_log: bool = False  # into DIR/service.log instead of our own output
    certificate: Certificate | None = None  # for SIP over TLS; None: one of our own making
    trunk_silence: float = 30.0  # as in routing/runtime/settings.py
    phone_silence: float = 30.0
    authorities: Path | None = None  # whom the certificate of a trunk over TLS must be from; None: the system's

    @property
    def home(self) -> Home:
        return Home(self.data_dir)

    @property
    def here(self) -> str:
        """The address under which programs on this machine reach what listens on `bind`."""
        return _ANY.get(self.bind, self.bind)

    @property
    def carrier_uri(self) -> str:
        return self.carrier or f"sip:{_in_url(self.here)}:{self.ports.carrier}"

    @property
    def ari_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.ari}"  # Asterisk's HTTP and AMI never listen elsewhere

    @property
    def api_url(self) -> str:
        return f"http://{_in_url(self.here)}:{self.ports.http}"


def service_environment(options: Options, credentials: Credentials, dsn: str) -> Mapping[str, str]:
    """Our own environment with the service's settings (routing/runtime/settings.py); passwords in files only
    it can read."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    secrets = {"ARI_PASSWORD": credentials.ari.password, "AMI_PASSWORD": credentials.ami.password}
    settings = {
        "DATABASE_URL": dsn,
        "ARI_URL": options.ari_url,
        "ARI_USERNAME": credentials.ari.username,
        "AMI_HOST": "127.0.0.1",
        "AMI_PORT": str(options.ports.ami),
        "AMI_USERNAME": credentials.ami.username,
        "HTTP_HOST": options.bind,
        "HTTP_PORT": str(options.ports.http),
        "DATA_DIR": str(options.data_dir),
        "TRUNK_SILENCE": str(options.trunk_silence),
        "PHONE_SILENCE": str(options.phone_silence),
        "LOG_LEVEL": options.log_level,
        "TRUNK_NUMBER_FORMAT": options.trunk_number_format,
    }
    for name, secret in secrets.items():
        path = options.home.run / name.lower()
        write_secret(path, secret, account(SERVICE))
        settings[f"{name}_FILE"] = str(path)
    return others | {f"RINGBACK_{name}": value for name, value in settings.items()}


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
