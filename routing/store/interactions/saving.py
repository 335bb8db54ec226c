"""Saving a decision in one statement.

A save is a compare-and-set on (id, version, status), guarded by the shard's epoch, and writes legs, attempts, the
agent's work and the feed in the same transaction; being one statement (`statements`), it is one round trip including
its commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from routing.core.errors import Conflict, DuplicateCallback, Invalid
from routing.core.interaction import Attempt, Interaction, Leg
from routing.core.lifecycle import Assigned, Continued, Decision, NotReady, Released
from routing.store import number_rules, requests_made
from routing.store.database import Pool, connection
from routing.store.interactions import hearing
from routing.store.interactions.loading import pending
from routing.store.interactions.statements import Parts, statement
from routing.store.number_rules import Check


@dataclass(frozen=True, slots=True)
class Ownership:
    """The shard we act for and the epoch we hold it in."""

    shard: str
    epoch: int


async def create(pool: Pool, owner: Ownership, decision: Decision, now: datetime, check: Check | None = None) -> int:
    """Store a new interaction. Returns the feed's cursor; raises DuplicateCallback, Invalid when its queue was
    deleted, or Conflict when it exists or the shard is not ours; with a `check` also NumberBlocked, RateLimited or
    Stale."""
    return await _write(pool, owner, None, decision, now, check)


async def save(
    pool: Pool, owner: Ownership, before: Interaction, decision: Decision, now: datetime, check: Check | None = None
) -> int:
    """Store what became of `before`. Returns the feed's cursor; raises Conflict when another writer was first,
    Invalid when the queue it comes into was deleted, with a `check` also NumberBlocked, RateLimited or Stale."""
    return await _write(pool, owner, before, decision, now, check)


async def _write(
    pool: Pool,
    owner: Ownership,
    before: Interaction | None,
    decision: Decision,
    now: datetime,
    check: Check | None,
) -> int:
    values = _values(owner, before, decision, now, check)
    stored = statement(_parts(before, decision, values))
    try:
        async with connection(pool) as c:
            row = await c.fetchrow(stored.sql, *(values[name] for name in stored.names))
    except DuplicateCallback as error:
        if check and check.asker:
            await requests_made.count(pool, check, now)
        after = decision.interaction
        error.existing = await pending(pool, after.queue, after.number or "")
        raise
    if row["id"] is None:
        if check and row["rule"]:
            number_rules.refuse(row["rule"], row["until"], now)
        if row.get("gone"):
            raise Invalid("There is no such queue.", "/queue")
        raise Conflict
    return int(row["cursor"] or 0)


def _values(
    owner: Ownership, before: Interaction | None, decision: Decision, now: datetime, check: Check | None
) -> Mapping[str, Any]:
    """By name, whatever a statement could want."""
    after = decision.interaction
    return {
        **vars(after),
        **vars(after.place),
        **vars(after.request),
        **vars(after.case),
        "kind": after.request.origin,
        "case_data": after.case.data,
        "waiting": {**vars(after.waiting), "playing": after.playing},  # as versions before 0.9 read it
        "hears": hearing.stored(after, after.version + 1),
        "wake_at": after.wake_at,
        "version": after.version + 1,
        "before": before and before.status,
        "shard": owner.shard,
        "epoch": owner.epoch,
        "now": now,
        "check": check,
        "legs": changed_legs(before, after, now),
        "attempts": _attempts(before, after),
        "feed": _feed(decision),
        **_agent(decision),
    }


def _agent(decision: Decision) -> Mapping[str, str]:
    """`assigned` or `continues` with `work`, `released` with `why`, and `reason`, as far as it says something about
    agents."""
    values: dict[str, str] = {}
    for change in decision.agents:
        match change:
            case Assigned(agent, work):
                values.update(assigned=agent, work=work)
            case Continued(agent, work):
                values.update(continues=agent, work=work)
            case Released(agent, _, why):
                values.update(released=agent, why=why)
            case NotReady(_, reason):
                values.update(reason=reason)
    return values


def _parts(before: Interaction | None, decision: Decision, values: Mapping[str, Any]) -> Parts:
    return Parts(
        new=before is None,
        moves=before is None or before.queue != decision.interaction.queue,
        asks=values["check"] and values["check"].moment,
        legs=bool(values["legs"]),
        attempts=bool(values["attempts"]),
        assigns="assigned" in values,
        continues="continues" in values,
        releases="released" in values,
        rests="reason" in values,
        feed=bool(decision.feed),
    )


def changed_legs(before: Interaction | None, after: Interaction, now: datetime) -> list[dict[str, Any]]:
    """What they hear is in the interaction's own row (`hearing`)."""
    known = {leg.id: _leg_row(leg) for leg in (before.legs if before else ())}
    there = {leg.id: _leg_row(leg) for leg in after.legs}
    ended = [{**row, "ended_at": now} for leg, row in known.items() if leg not in there]
    return ended + [row for leg, row in there.items() if known.get(leg) != row]


def _leg_row(leg: Leg) -> dict[str, Any]:
    return {"id": leg.id, "role": leg.role, "party": leg.party, "state": leg.state, "ended_at": None}


def _attempts(before: Interaction | None, after: Interaction) -> list[Attempt]:
    known = before.attempts if before else ()
    return [each for each in after.attempts if each not in known]


def _feed(decision: Decision) -> list[dict[str, Any]]:
    first = decision.interaction.lines - len(decision.feed) + 1
    return [
        {"seq": first + i, "event": line.event, "actor": line.actor, "status": line.status, "data": dict(line.data)}
        for i, line in enumerate(decision.feed)
    ]
