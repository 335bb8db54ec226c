"""Holds the shard for this process: taken once, renewed at a third, and known to have lapsed without asking."""

import asyncio
import os
import socket
from collections.abc import Callable

import structlog

from routing.engine.clock import boottime
from routing.errors import Fenced, Unavailable
from routing.store import shards
from routing.store.database import Pool
from routing.store.interactions import Ownership
from routing.store.shards import Held

log = structlog.get_logger()

MARGIN = 0.5
"""Seconds before the lease's end at which we stop starting calls: a request under way must not outlive it."""

RENEWED_WITHIN = shards.LEASE / 2
"""Seconds in which a living owner has renewed a lease that is over by Postgres' clock, which may have jumped."""

PULSE = 0.5
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
    """`valid` says whether calls may be started, `lost` that another process has the shard; `ownership` goes with
    every write. `owner` names this process, as no other ever was. By `boottime` a lease ends while the machine is
    suspended, too."""

    def __init__(
        self, pool: Pool, shard: str, owner: str | None = None, boottime: Callable[[], float] = boottime
    ) -> None:
        self._pool = pool
        self._shard = shard
        self._owner = owner or f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._boottime = boottime
        self._epoch = 0
        self._until = 0.0
        self._pulse = boottime()
        self._doubtful = False
        self._asking = asyncio.Lock()
        self.lost = False
        self.answered = False  # whether Postgres answered the last time it was asked

    @property
    def ownership(self) -> Ownership:
        return Ownership(self._shard, self._epoch)

    @property
    def valid(self) -> bool:
        return self._boottime() < self._until

    async def may_act(self) -> bool:
        """Whether anything may be done at all. One who slept (a process stopped, a machine paused) asks Postgres
        first, as its shard may be another's."""
        self._feel_pulse()
        if self._doubtful:
            async with self._asking:  # once for all who woke up together
                if self._doubtful and not self.lost:
                    await self._renew()
        return not (self.lost or self._doubtful)

    async def watch_pulse(self) -> None:
        """Notice for ever that we slept."""
        while True:
            self._feel_pulse()
            await asyncio.sleep(PULSE)

    def _feel_pulse(self) -> None:
        now = self._boottime()
        if now - self._pulse > ASLEEP:
            log.warning("slept", seconds=round(now - self._pulse, 1))
            self._doubtful = True
        self._pulse = now

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
            await self._renew()
        raise Fenced("another process owns the shard")

    async def _renew(self) -> None:
        asked = self._boottime()
        try:
            self.lost = not await shards.renew(self._pool, self._shard, self._owner, self._epoch)
            self.answered = True
            if self.lost:
                self.give_up()
            else:
                self._doubtful = False
                self._extend(asked)
        except Unavailable:
            self.answered = False
            log.warning("lease not renewed: Postgres does not answer", valid=self.valid)

    async def release(self) -> None:
        """Let a successor in at once."""
        self.give_up()
        try:
            await shards.release(self._pool, self._shard, self._owner, self._epoch)
        except Unavailable:
            log.warning("shard not released: Postgres does not answer", shard=self._shard)

    def give_up(self) -> None:
        self._until = 0.0

    def _extend(self, asked: float) -> None:
        self._until = asked + shards.LEASE - MARGIN
