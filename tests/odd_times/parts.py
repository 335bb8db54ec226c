"""Which suites run under what: every oddity meets every suite, without the product of all."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.odd_times.oddity import ROOT, Oddity, changes, three_in_the_morning

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
"""In the last one the clocks change by half an hour."""
JUST_STARTED, A_MONTH = 10.0, 30 * 86_400.0
NEAR = 120.0
"""Seconds by which a clock may be away from what it is to show, once a Ringback has been started."""
_PASSED = re.compile(r"^passed by folder: (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """`shares`: of which folder of tests how much, as `--share` takes it. `least`: how many must pass in each."""

    name: str
    oddity: Oddity
    shares: Mapping[str, str]
    least: Mapping[str, int]
    seeds: int = 100


@dataclass(frozen=True)
class Result:
    part: Part
    seconds: float
    passed: Mapping[str, int]
    faults: list[str] = field(default_factory=list)


def parts() -> list[Part]:
    """A clock that is set to a change of summer time begins half a minute before it."""
    young = Oddity(ZONES[0], uptime=JUST_STARTED)
    old = Oddity(ZONES[1], uptime=A_MONTH)
    night = Oddity(ZONES[2], wall=three_in_the_morning(ZONES[2]))
    days = [
        (f"{zone}, the clocks change, {at:%-d %B}", Oddity(zone, wall=at - timedelta(seconds=30)))
        for zone in ZONES
        for at in changes(zone)
    ]
    nobody = Oddity(ZONES[0], nobody=True)
    sevenths = [("three in the morning", night), *days]
    return [
        _part("just started", young, acceptance="1/3", integration="1/2", simulation="1/1"),
        _part("up for 30 days", old, acceptance="2/3", integration="2/2", simulation="1/1"),
        *(_part(name, odd, acceptance=f"{n}/7", integration=f"{n}/7") for n, (name, odd) in enumerate(sevenths, 1)),
        _part("as nobody", nobody, acceptance="3/10", integration="1/4"),
    ]


LEAST = {"unit": 700, "integration": 500, "acceptance": 130, "simulation": 20}
"""Tests of each folder, all shares together."""


def _part(name: str, oddity: Oddity, **shares: str) -> Part:
    """Stories first: the clocks change after half a minute. The unit tests wholly."""
    shares["unit"] = "1/1"
    return Part(name, oddity, shares, {folder: least(folder, share) for folder, share in shares.items()})


def least(folder: str, share: str) -> int:
    return LEAST[folder] // int(share.partition("/")[2])


def run(part: Part) -> Result:
    """The suites, if the clocks are what they are to be."""
    began = time.monotonic()
    faults = _wrongly_shown(part.oddity)
    if faults:
        return Result(part, time.monotonic() - began, {}, faults)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--seeds={part.seeds}"]
    words += [f"--share={folder}={share}" for folder, share in part.shares.items()]
    done = _run(part.oddity, *words, *(f"tests/{folder}" for folder in part.shares))
    told = _PASSED.search(done.stdout)
    passed = json.loads(told[1]) if told else {}
    few = [
        f"{n} of {folder}, not {passed.get(folder, 0)}"
        for folder, n in part.least.items()
        if passed.get(folder, 0) < n
    ]
    failed = [f"{done.stdout}\n{done.stderr}"] if done.returncode else []
    return Result(part, time.monotonic() - began, passed, [*failed, *few])


def _wrongly_shown(oddity: Oddity) -> list[str]:
    """What a Ringback and its Postgres see, started in the same way."""
    done = _run(oddity, sys.executable, "-m", "tests.odd_times.probe")
    if done.returncode:
        return [f"{done.stdout}\n{done.stderr}"]
    seen = json.loads(done.stdout.splitlines()[-1])
    wall = oddity.wall or datetime.now(UTC)
    away = {
        who: abs((datetime.fromisoformat(seen[who]) - wall).total_seconds())
        for who in ("here", "postgres", "service")
    }
    wrong = [f"{who} is {seconds:.0f} s away from {wall}" for who, seconds in away.items() if seconds > NEAR]
    if oddity.uptime is not None and not 0 <= seen["uptime"] - oddity.uptime < NEAR:
        wrong.append(f"up for {seen['uptime']} s, not {oddity.uptime}")
    zones = {f"{at.astimezone(ZoneInfo(oddity.zone)):%z}" for at in (wall, wall + timedelta(seconds=NEAR))}
    if seen["zone"] not in zones:
        wrong.append(f"time zone {seen['zone']}, not {zones}")
    if oddity.nobody and seen["user"] == 0:
        wrong.append("as root")
    return wrong


def _run(oddity: Oddity, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        oddity.command(*words), env=oddity.environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
