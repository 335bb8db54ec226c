"""F41: the recordings are gone. The menu works all the same, with music for words, so that nobody hears nothing."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.sip.errors import CallFailed
from demo.sip.outgoing import OutgoingCall
from tests.calls.story import menu, steps
from tests.faults.conftest import AuditedLine
from tests.faults.figures import Figures
from tests.faults.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def without(folder: Path) -> Iterator[None]:
    """No sound of that folder can be played."""
    away = folder.with_name(f"{folder.name}.away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


async def test_f41_without_any_recording_a_callback_can_be_asked_for_and_nobody_hears_nothing(
    rig: Rig, line: AuditedLine, figures: Figures, repeats: Callable[[int, int], range]
) -> None:
    sounds = rig.parts.asterisk.sounds / "sounds"
    await line.settings(**steps(menu(timeout=5)))
    failed = await rig.metric("ringback_prompts_failed_total")
    with without(sounds / "ringback"), without(sounds / "en"):
        calls = await asyncio.gather(*(_asks_for_a_callback(line) for _ in repeats(2, 10)))
    figures.note("F41", "silence without recordings", [each.gaps.silence for each in calls], unit="s", limit=2)
    assert await rig.metric("ringback_prompts_failed_total") > failed


async def _asks_for_a_callback(line: AuditedLine) -> OutgoingCall:
    """By the keys alone, until the system hangs up."""
    caller = line.caller()
    call = await line.call(caller)
    await line.stage.when(caller.number, status="bot", stage="menu")
    await call.dtmf("2")
    await line.stage.when(caller.number, stage="confirm")
    while call.end is None and (await line.stage.interaction(caller.number))["stage"] == "confirm":
        with contextlib.suppress(CallFailed):  # it may end just then
            await call.dtmf("1")
    await call.ended()
    await line.stage.when(caller.number, status="open", subtype="callback")
    return call


async def test_f41_the_menus_timer_runs_though_nothing_was_said(
    rig: Rig, line: AuditedLine, figures: Figures
) -> None:
    await line.settings(**steps(menu(timeout=0.3)))
    caller = line.caller()
    with without(rig.parts.asterisk.sounds / "sounds" / "ringback"):
        call = await line.call(caller)
        await line.stage.when(caller.number, status="bot")
        await line.stage.when(caller.number, status="open")
        figures.note("F41", "silence in a menu nobody hears", call.gaps.silence, unit="s", limit=2)
    await call.hangup()
