"""When a number may be called: `dial.window` on the clocks of whom it belongs to. Pure: told the time.

A number whose zone is not certain is called only when the window is open everywhere it may be (security rules:
unknown zone, intersection of the country's zones).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from routing.core.numbers.reading import facts
from routing.core.queues import Queue

LOOK_AHEAD = 8
"""Days; a window that does not open in them never does."""

_UNKNOWN = "Etc/Unknown"
_WHOLE_DAY = ("00:00", "24:00")

Window = tuple[str, str]


def callable_from(e164: str, queue: Queue, now: datetime) -> datetime | None:
    """The first moment from `now` on at which it may be called: `now` itself within the window, None for never."""
    if queue.dial.window == _WHOLE_DAY:
        return now
    return opening(queue.dial.window, zones(e164, queue.time_zone), now)


def why_not_at(e164: str, queue: Queue, at: datetime) -> str | None:
    """The window that forbids to call it then, and the next time when it may be called; None when it may."""
    opens = callable_from(e164, queue, at)
    if opens == at:
        return None
    first, last = queue.dial.window
    then = f"the next possible time is {opens:%Y-%m-%dT%H:%M:%SZ}" if opens else "which is at no time"
    return f"This number is called from {first} to {last} ({_told(zones(e164, queue.time_zone))}): {then}."


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


@lru_cache(maxsize=10_000)
def zones(e164: str, otherwise: str) -> tuple[str, ...]:
    """The zones it may be in: its own if that is known, else all of its country; `otherwise` where there is none.

    libphonenumber names all zones that share a country code for a mobile number: those of other countries go.
    """
    try:
        parsed = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return (otherwise,)
    named = {each for each in timezone.time_zones_for_number(parsed) if each != _UNKNOWN}
    if len(named) == 1:
        return tuple(named)
    country = _zones_of().get(facts(e164).region, frozenset())
    return tuple(sorted(named & country or country or named)) or (otherwise,)


@cache
def _zones_of() -> dict[str, frozenset[str]]:
    """Country -> its zones, of the tz database's zone.tab. Read once; the answer never changes."""
    found: dict[str, set[str]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(country, set()).add(zone)
    return {country: frozenset(names) for country, names in found.items()}


def opening(window: Window, names: Iterable[str], now: datetime) -> datetime | None:
    """The first moment from `now` on at which the window is open in all of these zones."""
    clocks = [ZoneInfo(name) for name in names]
    if _open(window, clocks, now):
        return now
    moments = sorted({at for clock in clocks for at in _openings(window, clock, now) if at > now})
    return next((at for at in moments if _open(window, clocks, at)), None)


def _open(window: Window, clocks: list[ZoneInfo], at: datetime) -> bool:
    """On the wall: an hour that comes twice when summer time ends counts both times."""
    first, last = window
    return all(first <= at.astimezone(clock).strftime("%H:%M") < last for clock in clocks)


def _openings(window: Window, clock: ZoneInfo, now: datetime) -> Iterator[datetime]:
    """A time that does not exist, as summer time begins, is moved forward; one that comes twice opens twice."""
    today = now.astimezone(clock).date()
    for day in range(-1, LOOK_AHEAD + 1):
        for fold in (0, 1):
            yield _at(today + timedelta(days=day), window[0], fold, clock)


def _at(day: date, wall: str, fold: int, clock: ZoneInfo) -> datetime:
    hour, minute = int(wall[:2]), int(wall[3:])
    return datetime.combine(day, time(hour, minute, fold=fold), clock).astimezone(UTC)
