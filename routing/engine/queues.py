"""Queue settings by name and version, remembered: a version never changes once written."""

from routing.core.events import NumberFormat
from routing.core.queues import Queue
from routing.store import queues as stored
from routing.store.database import Pool


class Queues:
    """Numbers and current settings are forgotten on every change; versions never have to be."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._versions: dict[tuple[str, int], Queue] = {}
        self._numbers: dict[tuple[str, NumberFormat], tuple[Queue, int]] = {}
        self._current: dict[str, tuple[Queue, int]] = {}

    async def version(self, name: str, version: int) -> Queue:
        key = (name, version)
        if key not in self._versions:
            self._versions[key] = await stored.version(self._pool, name, version)
        return self._versions[key]

    async def by_number(self, dialled: str, written: NumberFormat = NumberFormat.AUTO) -> tuple[Queue, int] | None:
        """The queue that answers the dialled number, with its current version."""
        if found := self._numbers.get((dialled, written)):
            return found
        numbers = self._numbers
        if found := await stored.by_number(self._pool, dialled, written):
            numbers[dialled, written] = found  # into the table we started from: it may have been replaced meanwhile
        return found

    async def current(self, name: str) -> tuple[Queue, int]:
        """The settings as they are now. Another process may have changed them: whoever acts on them says in the same
        statement which version they are (`routing.store.number_rules`). Raises NotFound."""
        if found := self._current.get(name):
            return found
        current = self._current
        current[name] = await stored.current(self._pool, name)
        return current[name]

    def changed(self) -> None:
        self._numbers = {}
        self._current = {}
