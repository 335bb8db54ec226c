"""T38, T39: what nobody told us, or what a lost timer should have done, is found by looking."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.calls.desk import customer_with_callback, offered
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.meddler import meddling
from tests.faults.rig import Rig
from tests.faults.scenes import PATIENT, own_line, waits

pytestmark = pytest.mark.asyncio(loop_scope="session")

_OVERDUE = """
UPDATE interactions SET wake_at = now() - interval '1 hour', version = version + 1,
       deadlines = (SELECT jsonb_object_agg(key, to_jsonb(now() - interval '1 hour')) FROM jsonb_each(deadlines))
 WHERE number = ANY($1) AND status <> 'closed'
"""


async def test_t38_rows_past_their_deadlines_are_found_though_their_timers_are_lost(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    """Put into the past behind the service's back: an offer nobody took, a time to redial, a callback's life."""
    lines = [own_line(line, n) for n in range(2)]
    for each in lines:
        await each.settings(**{**PATIENT, "offer": {"accept_timeout": 120, "rona_not_ready": False, "exclude": 100}})
    agents = [await each.agent() for each in lines]
    (offered_customer, _, _), (expiring, _) = await asyncio.gather(
        offered(lines[0], agents[0]), customer_with_callback(lines[1])
    )
    redialling, interaction = await customer_with_callback(lines[1])
    await agents[1].api.post(f"interactions/{interaction}/pickup")
    (await agents[1].phone.incoming()).answer()
    (await redialling.incoming()).reject(486)
    await line.stage.when(redialling.number, stage="ready_to_call")

    began = time.monotonic()
    await rig.sql.execute(_OVERDUE, [offered_customer.number, expiring.number, redialling.number])
    await asyncio.gather(
        line.stage.when(expiring.number, within=15, status="closed", outcome="expired"),
        line.stage.when(redialling.number, within=15, status="closed", outcome="expired"),
        line.stage.when(offered_customer.number, within=15, status="closed", outcome="expired"),
    )
    figures.note("T38", "overdue rows found", time.monotonic() - began, unit="s", limit=12)


async def test_t39_a_callback_nobody_makes_expires_by_itself(line: AuditedLine, figures: Figures) -> None:
    await line.settings(**{**PATIENT, "dial": {"ttl": 1.5}})
    customer, _ = await customer_with_callback(line)
    began = time.monotonic()
    await line.stage.when(customer.number, status="closed", outcome="expired")
    assert not customer.invites
    figures.note("T39", "a callback of 1.5 s expired", time.monotonic() - began, unit="s", limit=2.5)


async def test_t38_channels_of_nobody_and_callers_who_are_gone_are_found_though_no_event_told_of_them(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    """A channel of ours that belongs to nothing, and a caller whose hang-up was never told."""
    await rig.end("service", signal.SIGTERM)
    async with meddling(rig.parts.asterisk.ari_url.removesuffix("/ari"), seed=38) as meddler:
        rig.start_service(ARI_URL=meddler.url)
        try:
            await rig.gets_ready()
            await line.settings(**PATIENT, abandon={"short": 0})
            for _ in repeats(1, 4):
                caller, call = await waits(line)
                meddler.unheard = frozenset({"StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelHangupRequest"})
                orphan = uuid4().hex
                await _create_channel(rig, orphan, line)
                await call.hangup()
                began = time.monotonic()
                await rig.until(lambda orphan=orphan: _is_gone(rig, orphan), "the orphan is ended", 12)
                figures.note("T38", "orphan channel ended", time.monotonic() - began, unit="s", limit=10)
                await line.stage.when(caller.number, within=12, status="closed", outcome="abandoned")
                figures.note("T38", "ghost of a caller let go", time.monotonic() - began, unit="s", limit=10)
                meddler.unheard = frozenset()
        finally:
            await rig.end("service", signal.SIGTERM)


async def _create_channel(rig: Rig, channel: str, line: AuditedLine) -> None:
    """As a HangUp that never arrived leaves one behind."""
    login = rig.parts.credentials.ari
    headers = {"Authorization": aiohttp.encode_basic_auth(login.username, login.password)}
    customer: Any = line.caller()
    body = {
        "endpoint": f"PJSIP/{customer.number.removeprefix('+')}@carrier",
        "app": "ringback-00",
        "channelId": channel,
    }
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{rig.parts.asterisk.ari_url}/channels/create", json=body) as response,
    ):
        assert response.status == 200, await response.text()


async def _is_gone(rig: Rig, channel: str) -> bool:
    return channel not in {each["id"] for each in await rig.asked_of_asterisk("channels")}
