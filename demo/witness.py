"""Looks into Postgres, past the API: what is there is what counts. Counterpart: story.py."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import UUID

import asyncpg

_LOOK_EVERY = 0.005

_ROW = """
SELECT id, status, stage, subtype, queue, assigned_to, entered_at, queued_at, promised_at, outcome, disposition,
       coalesce(not_before <= now(), true) AS may_be_offered
  FROM interactions WHERE number = $1
"""
_PLACE = """
SELECT 1 + count(*) FROM interactions o JOIN interactions i ON o.queue = i.queue
 WHERE i.id = $1 AND o.status IN ('open', 'bot') AND o.id <> i.id
   AND (NOT o.front, -o.priority, o.queued_at, o.id) < (NOT i.front, -i.priority, i.queued_at, i.id)
"""
_FEED = "SELECT event FROM feed WHERE interaction = $1 ORDER BY seq"
_ATTEMPTS = "SELECT outcome FROM attempts WHERE interaction = $1 ORDER BY n"

Row = dict[str, Any]


class Witness:
    """Everybody in the story looks through one connection, one after the other."""

    def __init__(self, sql: asyncpg.Connection[asyncpg.Record]) -> None:
        self._sql = sql
        self._free = asyncio.Lock()

    async def row(self, number: str) -> Row:
        """The only interaction of that number. Raises AssertionError when there are more."""
        async with self._free:
            rows = await self._sql.fetch(_ROW, number)
        if len(rows) > 1:
            raise AssertionError(f"expected one interaction of {number}, saw {len(rows)}")
        return dict(rows[0]) if rows else {}

    async def when(self, number: str, within: float = 5.0, **expected: object) -> Row:
        """The row once it shows all of `expected`. Raises AssertionError with what it shows instead."""
        end = time.monotonic() + within
        while True:
            row = await self.row(number)
            seen = {key: row.get(key) for key in expected}
            if seen == expected:
                return row
            if time.monotonic() > end:
                raise AssertionError(f"expected {_told(expected)}, saw {_told(seen)} after {within:g} s")
            await asyncio.sleep(_LOOK_EVERY)

    async def place(self, interaction: UUID) -> int:
        """In the line of its queue, from 1."""
        async with self._free:
            return int(await self._sql.fetchval(_PLACE, interaction))

    async def feed(self, interaction: UUID) -> list[str]:
        async with self._free:
            return [row["event"] for row in await self._sql.fetch(_FEED, interaction)]

    async def attempts(self, interaction: UUID) -> list[str | None]:
        """Outcomes of the dials to the customer."""
        async with self._free:
            return [row["outcome"] for row in await self._sql.fetch(_ATTEMPTS, interaction)]


def _told(columns: dict[str, object]) -> str:
    return json.dumps(columns, default=str, ensure_ascii=False)
