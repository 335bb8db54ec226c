"""Whether a number may be promised a call, and may be called now: the pure rules, and the question that goes along
with the statement that stores it. Counterparts: `routing.core.numbers`, `routing.store.number_rules`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from routing.core.errors import Conflict, Invalid, InvalidNumber, NumberBlocked
from routing.core.interaction import Interaction, Role
from routing.core.lifecycle import Decision
from routing.core.numbers import RULES, Rule, callable_from, facts, refusal
from routing.core.numbers.moments import Moment, moment, time_agreed
from routing.core.numbers.rules import UNREADABLE, explanation, read
from routing.core.numbers.windows import why_not_at, zones
from routing.core.queues import Queue
from routing.engine.clock import Clock
from routing.engine.queues import Queues
from routing.runtime import metrics
from routing.store import number_rules
from routing.store import queues as stored
from routing.store.database import Pool
from routing.store.number_rules import Check, Stale, blocked

MOST_CHANGES = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rule` is None when it may be called; `callable_from` is the next moment of its calling window."""

    e164: str | None
    rule: Rule | None
    explanation: str
    time_zones: tuple[str, ...] = ()
    callable_from: datetime | None = None


def e164(raw: str, queue: Queue) -> str:
    """The number somebody asks a call back to. Raises InvalidNumber, or NumberBlocked for a short or emergency one.

    What else speaks against it is asked in the statement that stores the request (`NumberRules.guarded`).
    """
    number = read(raw, queue)
    if not isinstance(number, Rule):
        return number
    if number in UNREADABLE:
        raise InvalidNumber(None if number is Rule.INVALID else explanation(number, raw, queue))
    raise blocked(number)


class NumberRules:
    """Queues' current settings count, not those an interaction came in under: a rule added later stops who waits."""

    def __init__(self, pool: Pool, clock: Clock, queues: Queues) -> None:
        self._pool = pool
        self._clock = clock
        self._queues = queues
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def explain(self, queue_name: str, raw: str, *, history: bool = True) -> Verdict:
        """Would this number be promised a call and be called, and if not, which rule says so; without `history` those
        that count what was asked for and dialled before are left out. Raises NotFound, Unavailable."""
        await stored.get(self._pool, queue_name)
        queue, _ = await self._queues.current(queue_name)
        number = read(raw, queue)
        if isinstance(number, Rule):
            return Verdict(None, number, explanation(number, raw, queue))
        rule, told = None, "This number is called."
        try:
            await self._ask(number, queue_name, history=history)
        except NumberBlocked as error:
            rule, told = RULES[error.rule], str(error)
        opens = callable_from(number, queue, self._clock.now())
        return Verdict(number, rule, told, zones(number, queue.time_zone), opens)

    async def _ask(self, number: str, queue_name: str, *, history: bool) -> None:
        for _ in range(MOST_CHANGES):
            check = await self._check(Moment.PROMISE, number, None, queue_name)
            try:
                return await number_rules.ask(self._pool, check, self._clock.now(), history=history)
            except Stale:
                self._queues.changed()
        raise Conflict

    async def guarded(
        self,
        before: Interaction | None,
        decision: Decision,
        store: Callable[[Check | None], Awaitable[int]],
        asker: str | None = None,
    ) -> int:
        """`store` a change, with the question that goes along; `asker` is the agent or token that asks for it over
        the API. Raises NumberBlocked, RateLimited, Invalid for a time outside the calling window, and what `store`
        raises."""
        after = decision.interaction
        if before and (at := time_agreed(before, after)):
            pointer = "/at" if before.number == after.number else "/number"
            await self.check_time(after.number or "", after.queue, at, pointer)
        when = moment(before, after, decision.effects)
        if when is None:
            return await store(None)
        if asker is None or when is not Moment.PROMISE:
            return await self._stored(when, after, store)
        async with self._turns[asker]:  # else what one asks for at once would hold the calls' connections
            return await self._stored(when, after, store, asker, anew=before is None)

    async def check_time(self, number: str, queue_name: str, at: datetime, pointer: str = "/at") -> None:
        """Raises Invalid when the number may not be called then, by the queue's settings as they stand now."""
        queue, _ = await stored.current(self._pool, queue_name)
        if refused := why_not_at(number, queue, at):
            raise Invalid(refused, pointer)

    async def _stored(
        self,
        when: Moment,
        after: Interaction,
        store: Callable[[Check | None], Awaitable[int]],
        asker: str | None = None,
        *,
        anew: bool = False,
    ) -> int:
        for _ in range(MOST_CHANGES):
            try:
                check = await self._check(when, after.number or "", _source(after), after.queue)
                return await store(_asked_by(asker, check, anew=anew) if asker else check)
            except Stale:
                self._queues.changed()
            except NumberBlocked as error:
                metrics.NUMBERS_REFUSED.labels(rule=error.rule).inc()
                raise
        raise Conflict

    async def _check(self, when: Moment, number: str, source: str | None, queue_name: str) -> Check:
        """Raises NumberBlocked by the rules that need no looking up, and by none that were changed meanwhile."""
        try:
            return self._judged(when, number, source, *await self._queues.current(queue_name))
        except NumberBlocked:
            self._queues.changed()
        return self._judged(when, number, source, *await self._queues.current(queue_name))

    def _judged(self, when: Moment, number: str, source: str | None, queue: Queue, version: int) -> Check:
        typed = when is Moment.PROMISE and source is not None
        if rule := refusal(number, queue, typed=typed):
            raise blocked(rule)
        if when is Moment.PROMISE and not queue.callback.enabled:
            raise blocked(Rule.ENABLED)
        now = self._clock.now()
        opens = callable_from(number, queue, now)
        if opens is None or (when is Moment.DIAL and opens > now):
            raise blocked(Rule.WINDOW, opens)
        return Check(
            moment=when,
            queue=queue.name,
            version=version,
            number=number,
            source=source,
            foreign=facts(number).region != queue.region,
            max_pending=queue.callback.max_pending,
            most_over_api=queue.callback.most_over_api,
            **queue.limits.model_dump(),
        )


def _asked_by(asker: str, check: Check, *, anew: bool) -> Check:
    """The same question for who asks over the API: limited, and with room left for callers."""
    limited = asker if check.requests_per_agent is not None else None
    return replace(check, asker=limited, max_pending=check.most_over_api if anew else check.max_pending)


def _source(it: Interaction) -> str | None:
    """Who asks on the telephone for a number that is not their own; "" withheld it."""
    caller = it.leg(Role.CALLER)
    return caller.party if caller and caller.party != it.number else None
