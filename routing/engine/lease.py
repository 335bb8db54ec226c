"""Holds the shard for this process: taken once, renewed at a third, and known to have lapsed without asking."""

import asyncio
import os
import socket
import time

import structlog

from routing.errors import Fenced, Unavailable
from routing.store import shards
from routing.store.database import Pool
from routing.store.interactions import Ownership

log = structlog.get_logger()

MARGIN = 0.5
"""Seconds before the lease's end at which we stop starting calls: a request under way must not outlive it."""


class Lease:
    """`valid` says whether calls may be started; `ownership` goes with every write."""

    def __init__(self, pool: Pool, shard: str) -> None:
        self._pool = pool
        self._shard = shard
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._epoch = 0
        self._until = 0.0
        self.answered = False  # whether Postgres answered the last time it was asked

    @property
    def ownership(self) -> Ownership:
        return Ownership(self._shard, self._epoch)

    @property
    def valid(self) -> bool:
        return time.monotonic() < self._until

    async def take(self) -> None:
        """Wait until the shard is ours."""
        told = False
        while True:
            asked = time.monotonic()
            if epoch := await shards.take(self._pool, self._shard, self._owner):
                self._epoch = epoch
                self._extend(asked)
                self.answered = True
                log.info("shard taken", shard=self._shard, epoch=epoch)
                return
            if not told:
                log.info("waiting for the shard's owner to let go", shard=self._shard)
                told = True
            await asyncio.sleep(0.1)

    async def keep(self) -> None:
        """Renew for ever. Raises Fenced when another process took over."""
        while True:
            await asyncio.sleep(shards.LEASE / 3)
            asked = time.monotonic()
            try:
                if not await shards.renew(self._pool, self._shard, self._owner, self._epoch):
                    self.give_up()
                    raise Fenced("another process owns the shard")
                self._extend(asked)
                self.answered = True
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
