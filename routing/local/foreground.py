"""`ringback up` at the terminal: says when it is ready and where things are."""

from collections.abc import Callable

from routing.local.options import Options
from routing.local.up import Up, running


async def run(options: Options, say: Callable[[str], None]) -> None:
    """Until cancelled."""
    async with running(options, say) as up:
        await up.health.ready.wait()
        for line in _ready_lines(up):
            say(line)
        await up.kept()


def _ready_lines(up: Up) -> list[str]:
    options = up.options
    return [
        f"Ringback is ready: {options.api_url}/ (API description at /openapi.json)",
        f"  agents' phones register at {options.here}:{options.ports.sip} (SIP, udp or tcp)",
        f"  calls to and from the carrier: {options.carrier_uri}",
        f"  passwords in {up.home.credentials}, admin token in {up.home.admin_token}",
    ]
