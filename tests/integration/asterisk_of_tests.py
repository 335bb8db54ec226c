"""An Asterisk as `up` would configure it, its prompts made of tones."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.folder import enterable_folder
from routing.local.asterisk import prompts
from routing.local.asterisk.instance import AsteriskInstance
from routing.local.install.asterisk_package import find_or_install
from routing.local.system.credentials import Login
from routing.local.system.ports import Ports, reserved


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


@contextmanager
def running_instance(name: str) -> Iterator[AsteriskInstance]:
    """One of the test's own, configured and started; stopped at the end."""
    with enterable_folder(name) as folder, reserved() as ports:
        made = instance_in(folder, ports)
        made.write_config()
        process = asyncio.run(made.start())
        try:
            yield made
        finally:
            asyncio.run(made.stop(process))
