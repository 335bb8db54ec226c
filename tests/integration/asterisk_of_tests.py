"""An Asterisk as `up` would configure it, its prompts made of tones; the test starts and stops it."""

from pathlib import Path

from routing.local import prompts
from routing.local.asterisk import AsteriskInstance
from routing.local.asterisk_package import find_or_install
from routing.local.credentials import Login
from routing.local.ports import Ports


def instance_in(folder: Path, ports: Ports) -> AsteriskInstance:
    """Not configured yet. The folder has to be one an unprivileged account can enter."""
    return AsteriskInstance(
        home=folder / "asterisk",
        binary=find_or_install(lambda line: None),
        sounds=prompts.tones(folder / "tones"),
        ports=ports,
        ari=Login(username="ringback", password="ari-secret"),
        ami=Login(username="ringback", password="ami-secret"),
        carrier=f"sip:127.0.0.1:{ports.carrier}",
    )
