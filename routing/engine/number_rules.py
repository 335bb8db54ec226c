"""Whether a number may be promised a call, and may be called now: the pure rules, and the question that goes along
with the statement that stores it. Counterparts: `routing.core.numbers`, `routing.store.number_rules`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from routing.core.errors import Conflict, Invalid, InvalidNumber, NumberBlocked
from routing.core.lifecycle import Decision
from routing.core.numbers import RULES, Rule, callable_from, facts, refusal
from routing.core.numbers.rules import UNREADABLE, explanation, read
from routing.core.numbers.windows import why_not_at, zones
from routing.core.queues import Queue
from routing.core.requirements import MayCall, MayCallAt, Moment
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
            check = await self._check(MayCall(Moment.PROMISE, number, queue_name))
            try:
                return await number_rules.ask(self._pool, check, self._clock.now(), history=history)
            except Stale:
                self._queues.changed()
        raise Conflict

    async def guarded(
        self,
        decision: Decision,
        store: Callable[[Check | None], Awaitable[int]],
        asker: str | None = None,
        *,
        anew: bool = False,
    ) -> int:
        """`store` a decision, with the question that it requires; `asker` is the agent or token that asks for it over
        the API, `anew`: for a callback that is not there yet. Raises NumberBlocked, RateLimited, Invalid for a time
        outside the calling window, and what `store` raises."""
        call = None
        for each in decision.requires:
            match each:
                case MayCallAt():
                    await self._check_time(each)
                case MayCall():
                    call = each
        if call is None:
            return await store(None)
        if asker is None or call.moment is not Moment.PROMISE:
            return await self._stored(call, store)
        async with self._turns[asker]:  # else what one asks for at once would hold the calls' connections
            return await self._stored(call, store, asker, anew=anew)

    async def _check_time(self, call: MayCallAt) -> None:
        """By the queue's settings as they stand now."""
        queue, _ = await stored.current(self._pool, call.queue)
        if refused := why_not_at(call.number, queue, call.at):
            raise Invalid(refused, call.pointer)

    async def _stored(
        self,
        call: MayCall,
        store: Callable[[Check | None], Awaitable[int]],
        asker: str | None = None,
        *,
        anew: bool = False,
    ) -> int:
        for _ in range(MOST_CHANGES):
            try:
                check = await self._check(call)
                return await store(_asked_by(asker, check, anew=anew) if asker else check)
            except Stale:
                self._queues.changed()
            except NumberBlocked as error:
                metrics.NUMBERS_REFUSED.labels(rule=error.rule).inc()
                raise
        raise Conflict

    async def _check(self, call: MayCall) -> Check:
        """Raises NumberBlocked by the rules that need no looking up, and by none that were changed meanwhile."""
        try:
            return self._judged(call, *await self._queues.current(call.queue))
        except NumberBlocked:
            self._queues.changed()
        return self._judged(call, *await self._queues.current(call.queue))

    def _judged(self, call: MayCall, queue: Queue, version: int) -> Check:
        typed = call.moment is Moment.PROMISE and call.source is not None
        if rule := refusal(call.number, queue, typed=typed):
            raise blocked(rule)
        if call.moment is Moment.PROMISE and not queue.callback.enabled:
            raise blocked(Rule.ENABLED)
        now = self._clock.now()
        opens = callable_from(call.number, queue, now)
        if opens is None or (call.moment is Moment.DIAL and opens > now):
            raise blocked(Rule.WINDOW, opens)
        return Check(
            moment=call.moment,
            queue=queue.name,
            version=version,
            number=call.number,
            source=call.source,
            foreign=facts(call.number).region != queue.region,
            max_pending=queue.callback.max_pending,
            most_over_api=queue.callback.most_over_api,
            **queue.limits.model_dump(),
        )


def _asked_by(asker: str, check: Check, *, anew: bool) -> Check:
    """The same question for who asks over the API: limited, and with room left for callers."""
    limited = asker if check.requests_per_agent is not None else None
    return replace(check, asker=limited, max_pending=check.most_over_api if anew else check.max_pending)
