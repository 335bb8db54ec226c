"""F45: who guesses SIP passwords is shut out, and nobody else notices. Between two network namespaces (siege/)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.figures import Figures

ROOT = Path(__file__).parents[2]
MEGABYTE = 1e6


def besieged(*scenes: str, full: bool, seconds: float = 0, patience: float = 250) -> dict[str, Any]:
    """What siege/inside.py saw. Without root the namespaces are made in a user namespace."""
    alone = ["unshare", "--net"]
    if os.geteuid() != 0:
        alone = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net"]
    size = "full" if full else "fast"
    command = [*alone, sys.executable, "-m", "tests.faults.siege.inside", *scenes, size, str(seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as siege:
        try:
            out, told = siege.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            siege.terminate()  # it stops what it has started
            out, told = siege.communicate(timeout=30)
    assert siege.returncode == 0, told[-6000:]
    return dict(json.loads(out.splitlines()[-1]))


@pytest.mark.timeout(800)
def test_f45_who_guesses_sip_passwords_is_banned_and_nobody_else_notices(figures: Figures, full: bool) -> None:
    seen = besieged("guessers", full=full, patience=600 if full else 250)

    def note(what: str, values: Any, *, unit: str = "", limit: float | None = None) -> None:
        figures.note("F45", what, values, unit=unit, limit=limit)

    one, many = f"{seen['one_guessed']} guesses from one address", f"guessing from {seen['many_addresses']} addresses"
    note(f"{one}: listed as banned after", seen["one_listed_after"], unit="s", limit=2)
    note(f"{one}: answered", seen["one_answers"], limit=200)
    note(f"{one}: still heard", int(seen["one_heard"]), limit=0)
    note(f"{many}: not banned", seen["many_addresses"] - seen["many_banned"], limit=0)
    note(f"{many}: all banned after", seen["many_banned_after"], unit="s")
    note(f"{many}: answers to each", seen["many_answers"] / seen["many_addresses"], limit=25)
    for name, told in (("one", one), ("many", many)):
        note(f"{told}: the office registers in", p99(seen[f"{name}_registered"]), unit="s", limit=0.2)
        note(f"{told}: the trunk's calls answered in", p99(seen[f"{name}_answered"]), unit="s", limit=1)
    note("a forged sender: banned", int(seen["forged_banned"]), limit=0)
    note("a forged sender: its owner registers after", seen["forged_registered_after"], unit="s", limit=5)
    note("40 guesses beside an agent's phone: answered", seen["office_answers"], limit=30)
    note(
        "40 guesses beside an agent's phone: phone registers in",
        seen["office_phone_registered_after"],
        unit="s",
        limit=1,
    )
    note("the office and the trunk: banned", seen["office_banned"] + seen["trunk_banned"], limit=0)
    note("a ban lifted: heard after", seen["lifted_after"], unit="s", limit=1.5)
    note("bans forgotten by a restart", int(not seen["restart_banned"]) + int(seen["restart_heard"]), limit=0)
    note("somebody flushes all rules: back after", seen["rules_back_after"], unit="s", limit=12)
    note("somebody flushes all rules: bans hold again after", seen["shut_out_again_after"], unit="s", limit=10)
    note("log for all this", seen["log_bytes"] / MEGABYTE, unit="MB", limit=1)
    note("rules left in the kernel at the end", seen["tables_left"].count("ringback"), limit=0)
    assert seen["trunk_heard"] and not seen["office_heard"] and not seen["before_lifting_heard"]
    assert len(seen["one_registered"]) > 10 and len(seen["many_registered"]) > 10


@pytest.mark.timeout(1000)
def test_a_stranger_with_every_trick_gets_nothing_and_harms_nobody(
    figures: Figures, full: bool, pytestconfig: pytest.Config
) -> None:
    """Ten minutes of it: `make stranger`."""
    seconds = float(pytestconfig.getoption("--stranger") or (30 if full else 5))
    seen = besieged("stranger", full=full, seconds=seconds, patience=seconds + 200)
    tried, minutes = seen["stranger"], seconds / 60
    came_of_it = {what: n for what, n in tried.items() if what.startswith(("let in", "open", "audio", "logged", "5"))}
    assert came_of_it == {}
    assert all(tried[what] for what in ("sip requests", "sip passwords guessed at", "rtp packets", "http requests"))

    def note(what: str, values: Any, *, unit: str = "", limit: float | None = None) -> None:
        figures.note("stranger", f"{seconds:g} s: {what}", values, unit=unit, limit=limit)

    note("things tried", sum(n for what, n in tried.items() if what != "sip answers"))
    note("things got", len(came_of_it), limit=0)
    note("calls dialled", seen["stranger_invites"] + seen["attempts"], limit=0)
    note("interactions of strangers", seen["strange_interactions"], limit=0)
    note("CPU of all parts, cores", seen["cores"], limit=1)
    note("logs", seen["log_bytes"] / MEGABYTE, unit="MB", limit=1 + 3 * minutes)
    note("disk", seen["disk_bytes"] / MEGABYTE, unit="MB", limit=40 + 3 * minutes)
    note("memory of the service", seen["service_mib"], unit="MiB", limit=40)
    note("silence in a talk", seen["stranger_silence"], unit="s", limit=0.5)
    note("the office registers in (p99)", p99(seen["stranger_registered"]), unit="s", limit=0.2)
    note("calls answered in (p99)", p99(seen["stranger_answered"]), unit="s", limit=1)


def p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
