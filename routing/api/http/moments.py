"""The times clients write: RFC 3339, or local time where a time zone says whose."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from routing.core.errors import Invalid

PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$"
AHEAD = timedelta(days=366)
LATE = timedelta(minutes=1)
"""A moment this long ago still means now: clocks differ, and forms are filled in slowly."""


def due(text: str, zone: str, now: datetime) -> datetime:
    """The moment meant by `text` (of PATTERN); without an offset it is local in `zone`. Raises Invalid.

    Of a local time that is there twice the first is meant; one that is left out in spring is refused.
    """
    try:
        meant = datetime.fromisoformat(text)
        at = (meant if meant.tzinfo else _local(meant, ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("There is no such time.", "/at") from None
    if at < now - LATE:
        raise Invalid("This time has passed.", "/at")
    if at > now + AHEAD:
        raise Invalid(f"This is more than {AHEAD.days} days ahead.", "/at")
    return at


def _local(meant: datetime, zone: ZoneInfo) -> datetime:
    at = meant.replace(tzinfo=zone)
    if at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != meant:
        raise Invalid(f"{meant.time():%H:%M} does not exist on that day in {zone.key}: the clocks go forward.", "/at")
    return at
