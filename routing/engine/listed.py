"""Numbers were put on the do-not-call list: callbacks of theirs that wait end now, not only when they are offered."""

from collections.abc import Callable, Iterable
from uuid import UUID

from routing.core.events import NumberRefused
from routing.core.numbers import Rule
from routing.store import number_rules
from routing.store.database import Pool


async def call_no_more(tell: Callable[[UUID, NumberRefused], None], pool: Pool, numbers: Iterable[str]) -> None:
    """Raises Unavailable."""
    for each in await number_rules.waiting_callbacks(pool, numbers):
        tell(each, NumberRefused(Rule.DO_NOT_CALL))
