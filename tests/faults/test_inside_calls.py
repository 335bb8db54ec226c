"""F46: requests inside every call, one a second, from carriers and from agents' phones."""

import asyncio
import time
from collections.abc import Callable

import pytest

from demo.sip.call import Call
from demo.sip.errors import SipTimeout
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.scenes import everywhere

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFER = [("Refer-To", "<sip:601@127.0.0.1>")]
ANSWERED: tuple[tuple[str, list[tuple[str, str]], int], ...] = (
    ("OPTIONS", [], 200),
    ("INFO", [], 200),
    ("REFER", REFER, 603),
    ("UPDATE", [], 200),
)
LEFT = ("MESSAGE", "NOTIFY", "SUBSCRIBE", "PUBLISH", "NONSENSE")
"""What Asterisk leaves without an answer (decision 124)."""


async def test_f46_requests_inside_every_call_are_answered_and_harm_none(
    line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    scene = await everywhere(line)
    talking = (scene.talking.offer, scene.talking.back)
    calls = [*scene.calls, *talking, scene.ringing[0].phone.calls[-1], scene.inbound[0].phone.calls[-1]]
    for call in talking:
        call.reset_gaps()
    for _ in repeats(1, 20):
        for method, fields, status in ANSWERED:
            beat = asyncio.create_task(asyncio.sleep(1))
            took = await asyncio.gather(*(_asked(each, method, fields, status) for each in calls))
            figures.note("F46", f"{method}: answered after", [1000 * each for each in took], unit="ms", limit=500)
            await beat
    left = await asyncio.gather(*(_is_left(call, method) for call in talking for method in LEFT))
    figures.note("F46", "of ten requests that Asterisk does not know how to answer: answered", 10 - sum(left))
    figures.note("F46", "calls ended", sum(each.end is not None for each in calls), limit=0)
    gap = max(call.gaps.silence for call in talking)
    figures.note("F46", "gap in a talk", gap, unit="s", limit=0.5)


async def _asked(call: Call, method: str, fields: list[tuple[str, str]], status: int) -> float:
    began = time.monotonic()
    assert await call.request(method, fields=fields) == status, method
    return time.monotonic() - began


async def _is_left(call: Call, method: str) -> bool:
    try:
        await call.request(method, fields=[("Event", "keep-alive"), ("Expires", "60")], within=1)
    except SipTimeout:
        return True
    return False
