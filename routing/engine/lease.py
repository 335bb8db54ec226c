"""Holds the shard for this process: taken once, renewed at a third, and known to have lapsed without asking."""

import asyncio
import os
from collections.abc import Callable

import structlog

from routing.core.errors import Fenced, Unavailable
from routing.engine.clock import boottime
from routing.store import shards
from routing.store.database import Pool
from routing.store.interactions import Ownership
from routing.store.shards import Held

log = structlog.get_logger()

MARGIN = 0.5
"""Seconds before the lease's end at which we stop starting calls: a request under way must not outlive it."""

RENEWED_WITHIN = shards.LEASE / 2
"""Seconds in which a living owner has renewed a lease that is over by Postgres' clock, which may have jumped."""

PULSE, HICCUP = 0.5, 0.2
"""Seconds between two pulses, and how late one is from which on this process stood still."""

ASK_AGAIN = 0.2
"""Seconds until Postgres is asked again whose the shard is."""

ASLEEP = 2.0
"""Seconds without a pulse after which the lease may have run out unnoticed, and another process have taken over."""


class Watch:
    """Over somebody else's lease. `dead` is it once it was not renewed for so long, by our own clock, that its owner
    cannot be alive."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._seen: Held | None = None
        self._since = 0.0
        self.dead: Held | None = None

    def see(self, held: Held | None) -> None:
        now = self._seconds()
        if held is None or self._seen is None or held.until != self._seen.until:
            self._seen, self._since, self.dead = held, now, None
        elif now - self._since >= (RENEWED_WITHIN if held.over else shards.LEASE):
            self.dead = held


class Lease:
    """`valid` says whether calls may be started, `lost` that the shard is not ours any more; `ownership` goes with
    every write. `owner` names this process, as no other ever was. By `boottime` a lease ends while the machine is
    suspended, too.

    `left` are the seconds for which nobody else can have the shard. When they are over Postgres may merely be away:
    those on the line are still seen to, until something makes it doubtful that the shard is ours. That is a sleep, or
    the loss of contact with Asterisk, as another process may have it since. In doubt nothing is done at all
    before Postgres was asked.
    """

    def __init__(
        self, pool: Pool, shard: str, owner: str | None = None, boottime: Callable[[], float] = boottime
    ) -> None:
        self._pool = pool
        self._shard = shard
        self._owner = owner or f"{shards.process(os.getpid())}{os.urandom(4).hex()}"
        self._boottime = boottime
        self._epoch = 0
        self._until = self._renewed = self._tried = 0.0
        self._closed = False
        self._pulse, self._woke = boottime(), 0.0
        self._doubts = self._settled = self._asked = 0
        self._asking = asyncio.Lock()
        self.lost = False
        self.answered = False  # whether Postgres answered the last time it was asked

    @property
    def ownership(self) -> Ownership:
        return Ownership(self._shard, self._epoch)

    @property
    def left(self) -> float:
        return 0.0 if self.lost else max(0.0, self._until - self._boottime())

    @property
    def valid(self) -> bool:
        return self.left > 0 and not self._closed

    @property
    def _in_doubt(self) -> bool:
        return self._settled < self._doubts

    async def may_act(self) -> bool:
        """Whether anything may be done at all."""
        self._feel_pulse()
        if self._in_doubt:
            await self._ask()
        return not (self.lost or self._in_doubt)

    async def certain(self) -> None:
        """Until it is known whether anything may be done: Postgres may not answer just when it is asked. At its end
        a process leaves it to the next."""
        while not await self.may_act() and not (self.lost or self._closed):  # noqa: ASYNC110
            await asyncio.sleep(ASK_AGAIN)

    async def may_call(self) -> bool:
        """Whether a call may be started. A lease that ran out while Postgres was away is renewed for it: who accepts
        just when Postgres is back need not wait for the next renewal."""
        if not await self.may_act():
            return False
        if not self.left:
            await self._ask()
        return self.valid

    async def confirmed(self) -> bool:
        """Whether the shard is ours for certain. Raises Fenced when it is another's."""
        self._feel_pulse()
        if not self._certain():
            await self._ask()
        if self.lost:
            raise Fenced("another process owns the shard")
        return self._certain()

    def doubt(self) -> None:
        """Another process may have the shard; only an answer to what is asked from now on can tell."""
        self._doubts += 1

    async def watch_pulse(self) -> None:
        """Notice for ever that we slept."""
        while True:
            self._feel_pulse()
            await asyncio.sleep(PULSE)

    def woke_within(self, seconds: float) -> bool:
        """Whether nothing of this process ran until so short ago."""
        self._feel_pulse()
        return self._boottime() - self._woke < seconds

    def _feel_pulse(self) -> None:
        now = self._boottime()
        if now - self._pulse > PULSE + HICCUP:
            self._woke = now
        if now - self._pulse > ASLEEP:
            log.warning("slept", seconds=round(now - self._pulse, 1))
            self.doubt()
        self._pulse = now

    def _certain(self) -> bool:
        return self.left > 0 and not self._in_doubt

    async def take(self) -> None:
        """Wait until the shard is ours."""
        told, watch = False, Watch(self._boottime)
        while True:
            asked = self._boottime()
            if epoch := await shards.take(self._pool, self._shard, self._owner, watch.dead):
                self._epoch = epoch
                self._pulse = asked
                self._extend(asked)
                self.answered = True
                log.info("shard taken", shard=self._shard, epoch=epoch)
                return
            if not told:
                log.info("waiting for the shard's owner to let go", shard=self._shard)
                told = True
            watch.see(await shards.held(self._pool, self._shard))
            await asyncio.sleep(0.1)

    async def keep(self) -> None:
        """Renew for ever. Raises Fenced when another process took over."""
        while not self.lost:
            await asyncio.sleep(shards.LEASE / 3)
            async with self._asking:
                await self._renew()
        raise Fenced("another process owns the shard")

    async def _ask(self) -> None:
        """Once for all who want to know at the same time."""
        asked = self._asked
        async with self._asking:
            if asked == self._asked and not self._certain() and not self.lost:
                await self._renew()

    async def committed(self) -> None:
        """Until Postgres has confirmed a commit that was begun after this was asked; one try does for all who ask
        meanwhile. Raises Unavailable.

        A primary whose standby is away shows everybody what it could not confirm to its author, and what a failover
        loses. In its log that stands before this commit, so that a standby which has this one has that, too.
        """
        asked = self._boottime()
        async with self._asking:
            if self._tried <= asked:
                await self._renew()
        if self._renewed < asked:
            raise Unavailable("Postgres confirms nothing.")

    async def _renew(self) -> None:
        self._asked += 1
        self._tried = asked = self._boottime()
        doubts = self._doubts
        try:
            ours = await shards.renew(self._pool, self._shard, self._owner, self._epoch)
        except Unavailable:
            self.answered = False
            log.warning("lease not renewed: Postgres does not answer", valid=self.valid)
            return
        self._feel_pulse()  # it may have been answered before we slept
        self.answered = True
        if ours:
            self._settled = max(self._settled, doubts)  # what came up meanwhile is no older than the answer
            self._extend(asked)
        else:
            self.lost = True

    async def release(self) -> None:
        """Let a successor in at once. From now on nothing is done any more."""
        self.lost = True
        try:
            await shards.release(self._pool, self._shard, self._owner, self._epoch)
        except Unavailable:
            log.warning("shard not released: Postgres does not answer", shard=self._shard)

    def close(self) -> None:
        """Start no call any more; what was begun may still be ended."""
        self._closed = True

    def _extend(self, asked: float) -> None:
        self._renewed = max(self._renewed, asked)
        self._until = max(self._until, asked + shards.LEASE - MARGIN)
