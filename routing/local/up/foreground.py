"""`ringback up` at the terminal: says when it is ready and where things are."""

import asyncio
from collections.abc import Callable

from routing.local.up.options import Options
from routing.local.up.up import Up, running


async def run(options: Options, say: Callable[[str], None]) -> None:
    """Until cancelled."""
    async with running(options, say) as up:
        if await _gets_ready(up):
            for line in _ready_lines(up):
                say(line)
        await up.kept()


async def _gets_ready(up: Up) -> bool:
    """False when the watching ended first, which `kept()` then explains."""
    ready = asyncio.create_task(up.health.ready.wait(), name="ready")
    try:
        await asyncio.wait([ready, *([up.keeping] if up.keeping else [])], return_when=asyncio.FIRST_COMPLETED)
        return ready.done()
    finally:
        ready.cancel()


def _ready_lines(up: Up) -> list[str]:
    options = up.options
    return [
        f"Ringback is ready: {options.api_url}/ (API description at /openapi.json)",
        f"  agents' phones register at {options.here}:{options.ports.sip} (SIP, udp or tcp)",
        f"  or over TLS at {options.here}:{options.ports.sip_tls}{_number_rules(up)}",
        f"  calls to and from the carrier: {options.carrier_uri}",
        f"  passwords in {up.home.credentials}, admin token in {up.home.admin_token}",
    ]


def _number_rules(up: Up) -> str:
    return "" if up.options.certificate else f", trusting {up.asterisk.authority}"
