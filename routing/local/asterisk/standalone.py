"""`ringback asterisk`: this process becomes an Asterisk for a service elsewhere, as containers and units of their own
want it. Configured by the same code as that of `up`; ARI and AMI by the service's own settings.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from routing.local.asterisk import prompts
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.install import asterisk_package
from routing.local.install.asterisk_package import AsteriskBinary
from routing.local.system.certificates import Certificate
from routing.local.system.credentials import Login
from routing.local.system.home import Home
from routing.local.system.ports import Ports
from routing.local.system.users import ASTERISK, account, confined
from routing.runtime.settings import Settings


@dataclass(frozen=True)
class Alone:
    """`sip` is the port for udp and tcp. `control`: the address for ARI and AMI, which answer to `control_net`."""

    data_dir: Path
    carrier: str
    bind: str
    external_address: str | None
    control: str
    control_net: str
    sip: int
    sip_tls: int
    rtp: tuple[int, int]
    certificate: Certificate | None
    authorities: Path | None
    sounds: Path | None = None


def become_asterisk(told: Alone, settings: Settings, say: Callable[[str], None]) -> None:
    """Does not return. Raise SetupError for what is missing or wrong."""
    instance = _instance(told, settings, say)
    instance.write_config()
    environment = {"PATH": os.defpath, "HOME": str(instance.home), "LC_ALL": "C.UTF-8"}
    os.chdir(instance.home)
    _exec(
        [*confined(account(ASTERISK)), *instance.binary.argv, "-f", "-C", str(instance.home / "etc/asterisk.conf")],
        environment,
    )


def _instance(told: Alone, settings: Settings, say: Callable[[str], None]) -> AsteriskInstance:
    home = Home(told.data_dir)
    home.prepare()
    binary = asterisk_package.find_or_install(say)
    return AsteriskInstance(
        home=home.asterisk,
        binary=binary,
        sounds=told.sounds or _sounds(binary, home, say),
        ports=_ports(told, settings),
        ari=Login(username=settings.ari_username, password=settings.ari_password.get_secret_value()),
        ami=Login(username=settings.ami_username, password=settings.ami_password.get_secret_value()),
        carrier=told.carrier,
        bind=told.bind,
        external_address=told.external_address,
        control=told.control,
        control_net=told.control_net,
        certificate=told.certificate,
        authorities=told.authorities,
    )


def _sounds(binary: AsteriskBinary, home: Home, say: Callable[[str], None]) -> Path:
    """The cache may be read-only, as in a container: what is made of own recordings goes beside them."""
    return prompts.spoken(binary, say, home.recordings, home.root if home.recordings else None)


def _ports(told: Alone, settings: Settings) -> Ports:
    """The service is told where to find ARI and AMI: there they are."""
    ari = urlsplit(settings.ari_url).port or 80
    nowhere = 0
    return Ports(nowhere, nowhere, ari, settings.ami_port, told.sip, nowhere, told.sip_tls, told.rtp)


def _exec(argv: list[str], environment: Mapping[str, str]) -> None:
    os.execve(argv[0], argv, dict(environment))  # noqa: S606  # no shell is meant
