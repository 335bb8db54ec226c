"""Looks at the far ends, at Asterisk and at the rows after a fault: nobody was promised what is not stored, nobody
called twice, nothing hangs. Letters and numbers (A1 …) are those of docs/reliability.md."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import aiohttp

from demo.sip import g711, tones
from demo.sip.agent import SipAgent
from demo.sip.call import Call
from demo.stage import Stage
from routing.local.asterisk.prompts import TONES

ORPHANS_WITHIN = 10.0
"""Seconds after which no channel may be left that belongs to no row, and no row that believes in one."""
OVERDUE = 5.0
"""Seconds after its deadline from which a row counts as stuck."""

_ATTEMPTS = """
SELECT i.number, count(*) AS n FROM attempts a JOIN interactions i ON i.id = a.interaction GROUP BY i.number
"""
_KEPT = "SELECT DISTINCT number FROM interactions WHERE promised_at IS NOT NULL AND requested_at IS NOT NULL"
_DOUBLE = """
SELECT assigned_to FROM interactions WHERE status IN ('offered', 'connected', 'wrap_up')
 GROUP BY assigned_to HAVING count(*) > 1
"""
_STUCK = """
SELECT i.id, i.status, i.stage, i.wake_at FROM interactions i
 WHERE i.status <> 'closed'
   AND (i.wake_at < now() - make_interval(secs => $1)
     OR i.status IN ('bot', 'offered', 'connected', 'wrap_up') AND i.wake_at IS NULL
        AND NOT EXISTS (SELECT FROM legs l WHERE l.interaction = i.id AND l.ended_at IS NULL))
"""
_STRAY_WORK = """
SELECT coalesce(w.agent, i.assigned_to) AS agent
  FROM (SELECT * FROM assignments WHERE ended_at IS NULL) w
  FULL JOIN (SELECT * FROM interactions WHERE status IN ('offered', 'connected', 'wrap_up')) i ON i.id = w.interaction
 WHERE i.assigned_to IS DISTINCT FROM w.agent
    OR w.state <> CASE i.status WHEN 'connected' THEN 'busy' ELSE i.status END
"""
# A promise is kept, was ended by what may end it, or is still where somebody will meet it: with the caller on the
# phone, in the line of a queue there is, due at a time, or in an agent's hands.
_UNACCOUNTED = """
SELECT i.number, i.status, i.subtype, i.outcome FROM interactions i
 WHERE i.promised_at IS NOT NULL
   AND NOT (i.status = 'closed' AND i.outcome IN ('handled', 'expired', 'failed_max_attempts', 'invalid_number',
                                                  'cancelled_by_operator', 'blocked')
         OR i.status IN ('offered', 'connected', 'wrap_up')
         OR i.status IN ('open', 'bot')
            AND EXISTS (SELECT FROM legs l WHERE l.interaction = i.id AND l.ended_at IS NULL)
         OR i.status = 'open' AND i.subtype = 'callback'
            AND EXISTS (SELECT FROM queues q WHERE q.name = i.queue AND q.deleted_at IS NULL)
         OR i.status = 'scheduled' AND i.wake_at IS NOT NULL)
"""
_IN_WORK = "SELECT agent FROM assignments WHERE agent = ANY($1) AND ended_at IS NULL"
_LIVE_LEGS = "SELECT id FROM legs WHERE ended_at IS NULL"


class PromiseEar:
    """Follows what a caller hears and takes down every "we will call you"."""

    def __init__(self, heard: Counter[str], number: str) -> None:
        self._heard, self._number, self._run = heard, number, 0

    def feed(self, payload: bytes, at: float) -> None:
        loud = g711.is_loud(payload)
        is_promise = loud and tones.share(g711.decode(payload), TONES["booked"]) >= 0.4
        self._run = self._run + 1 if is_promise else 0
        if self._run == 2:
            self._heard[self._number] += 1

    def give_up(self) -> None:
        pass


class Auditor:
    """One for each stage: `follow` every call of a customer, give it every agent's phone."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.promised: Counter[str] = Counter()
        """Numbers, and how often a promise was heard there."""
        self.phones: list[SipAgent] = []

    def follow(self, number: str, call: Call) -> None:
        call.media.ear.follow(PromiseEar(self.promised, number))

    async def check(self) -> list[str]:
        """Every violation, in words; the last looks give Asterisk and the rows time to agree."""
        return [
            *await self._invites(),
            *await self._promises(),
            *await self._rows(_UNACCOUNTED, "A6: a promise nobody will keep"),
            *await self._rows(_DOUBLE, "A2: an agent has two interactions"),
            *self._phones_with_two(),
            *await self._agreement(),
            *await self._rows(_STRAY_WORK, "an agent works on what is not theirs"),
            *await self._stuck(),
        ]

    async def reached(self) -> dict[str, int]:
        """How much there was to look at so far."""
        rows = await self.stage.sql.fetchrow(
            "SELECT count(*) FILTER (WHERE promised_at IS NOT NULL) AS promises,"
            " count(*) FILTER (WHERE subtype = 'callback') AS callbacks,"
            " count(*) FILTER (WHERE outcome = 'handled') AS handled FROM interactions"
        )
        invites = len(self.stage.carrier.invites)
        return {**rows, "promises heard": sum(self.promised.values()), "customers' INVITEs": invites}

    async def busy(self, agents: Iterable[str]) -> list[str]:
        """Those of these agents who have something to do."""
        return [row["agent"] for row in await self.stage.sql.fetch(_IN_WORK, list(agents))]

    async def end_all_calls(self) -> None:
        """Everybody hangs up, on both sides."""
        await asyncio.gather(self.stage.carrier.ua.hang_up_all(), *(phone.ua.hang_up_all() for phone in self.phones))

    async def _invites(self) -> list[str]:
        asked = {row["number"]: row["n"] for row in await self.stage.sql.fetch(_ATTEMPTS)}
        seen = Counter(invite.to_user for invite in self.stage.carrier.invites)
        return [
            f"A1: {number} got {n} INVITEs for {asked.get(number, 0)} attempts"
            for number, n in seen.items()
            if n > asked.get(number, 0)
        ]

    async def _promises(self) -> list[str]:
        kept = {row["number"] for row in await self.stage.sql.fetch(_KEPT)}
        return [f"A5: {number} was promised a call, no row says so" for number in self.promised if number not in kept]

    def _phones_with_two(self) -> list[str]:
        live = {phone.name: sum(call.end is None for call in phone.calls) for phone in self.phones}
        return [f"A2: {name} has {n} live calls" for name, n in live.items() if n > 1]

    async def _agreement(self) -> list[str]:
        """Asterisk and the rows know the same channels."""
        end = time.monotonic() + ORPHANS_WITHIN
        while (apart := await self._apart()) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return apart

    async def _apart(self) -> list[str]:
        channels = {each["id"] for each in await _channels(self.stage)}
        legs = {row["id"] for row in await self.stage.sql.fetch(_LIVE_LEGS)}
        orphans = _each("L3: a channel without a row", channels - legs)
        return [*orphans, *_each("L2: a row believes in a channel that is gone", legs - channels)]

    async def _stuck(self) -> list[str]:
        end = time.monotonic() + OVERDUE
        while (stuck := await self._rows(_STUCK, "L2: stuck", OVERDUE)) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return stuck

    async def _rows(self, question: str, what: str, *arguments: Any) -> list[str]:
        return [f"{what}: {dict(row)}" for row in await self.stage.sql.fetch(question, *arguments)]


async def _channels(stage: Stage) -> list[dict[str, Any]]:
    login = stage.credentials["ari"]
    headers = {"Authorization": aiohttp.encode_basic_auth(login["username"], login["password"])}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"http://127.0.0.1:{stage.ports.ari}/ari/channels") as response,
    ):
        response.raise_for_status()
        return list(await response.json())


def _each(what: str, ids: Iterable[str]) -> list[str]:
    return [f"{what}: {each}" for each in sorted(ids)]
