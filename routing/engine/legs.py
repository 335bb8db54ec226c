"""Whose leg is whose, for all living interactions, and which of those we call were called; and who of them called in,
which `Queue.admission` limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from routing.core.interaction import Interaction, Role
from routing.core.queues import Queue


@dataclass(frozen=True, slots=True)
class _Call:
    """One that came in; `number` is "" when withheld."""

    queue: str
    number: str


class Legs:
    """Legs by their channel id."""

    def __init__(self) -> None:
        self._owners: dict[str, UUID] = {}
        self._calls: dict[str, _Call] = {}
        self._dialled: set[str] = set()

    def __contains__(self, leg: str) -> bool:
        return leg in self._owners

    def __iter__(self) -> Iterator[str]:
        return iter(self._owners)

    def owner(self, leg: str) -> UUID | None:
        return self._owners.get(leg)

    def add(self, leg: str, owner: UUID) -> None:
        self._owners[leg] = owner

    def drop(self, leg: str) -> None:
        self._owners.pop(leg, None)
        self._calls.pop(leg, None)
        self._dialled.discard(leg)

    def dialled(self, leg: str) -> None:
        """The call to it has gone out."""
        if leg in self._owners:
            self._dialled.add(leg)

    def was_dialled(self, leg: str) -> bool:
        """Whether that is known; of what a process before this one dialled it is not."""
        return leg in self._dialled

    def follow(self, before: Interaction | None, it: Interaction) -> None:
        """Those `it` has are its own; those it had `before`, and has no more, nobody's, unless they are another's by
        now (a caller who came back)."""
        for leg in before.legs if before else ():
            if it.leg_with(leg.id) is None and self.owner(leg.id) == it.id:
                self.drop(leg.id)
        for leg in it.legs:
            self.add(leg.id, it.id)
            if leg.role is Role.CALLER:
                self._calls[leg.id] = _Call(it.queue, leg.party)

    def forget(self, owner: UUID) -> None:
        for leg in [leg for leg, its in self._owners.items() if its == owner]:
            self.drop(leg)

    def let_in(self, leg: str, queue: Queue, number: str) -> str | None:
        """Count a call that has come, `number` as its row will have it; or name the limit of the queue's `admission`
        it would exceed."""
        call, most = _Call(queue.name, number), queue.admission
        calls = self._calls.values()
        if most.calls is not None and sum(each.queue == call.queue for each in calls) >= most.calls:
            return "calls"
        of_number = sum(each.number == number for each in calls) if number else 0
        if most.calls_per_number is not None and of_number >= most.calls_per_number:
            return "calls_per_number"
        self._calls[leg] = call
        return None
