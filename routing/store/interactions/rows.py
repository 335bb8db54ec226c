"""Rows, each made an Interaction again; one that a newer version wrote may not be readable."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from routing.core.interaction import (
    AgentPreferences,
    Attempt,
    Case,
    Deadline,
    Interaction,
    Leg,
    LegState,
    Origin,
    Outcome,
    Place,
    Request,
    Role,
    Stage,
    Status,
    Subtype,
    Waiting,
)
from routing.runtime import metrics
from routing.store import lenient
from routing.store.interactions.hearing import with_what_legs_hear

log = structlog.get_logger()


def interaction(row: Any) -> Interaction:
    """One row, with `live_legs` and `all_attempts` beside it, as an Interaction."""
    return with_what_legs_hear(_without_audio(row), row["hears"], row["waiting"].get("playing"))


def _without_audio(row: Any) -> Interaction:
    return Interaction(
        id=UUID(str(row["id"])),
        queue=row["queue"],
        queue_version=row["queue_version"],
        entered_at=row["entered_at"],
        place=_place(row),
        status=Status(row["status"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        subtype=Subtype(row["subtype"]),
        number=row["number"],
        dialled_number=row["dialled_number"],
        version=row["version"],
        assigned_to=row["assigned_to"],
        desk=lenient.made(AgentPreferences, row["desk"]),
        connected_at=row["connected_at"],
        closed_at=row["closed_at"],
        outcome=row["outcome"],
        request=_request(row),
        case=_case(row),
        tried_before=row["tried_before"],
        shift=row["shift"],
        waiting=lenient.made(Waiting, row["waiting"], words=tuple(row["waiting"]["words"])),
        deadlines={kind: _time(at) for kind, at in lenient.by_word(Deadline, row["deadlines"])},
        legs_asked=row["legs_asked"],
        lines=row["lines"],
        legs=tuple(_leg(each) for each in row["live_legs"]),
        attempts=tuple(attempt(each) for each in row["all_attempts"]),
    )


def _place(row: Any) -> Place:
    return Place(
        queued_at=row["queued_at"],
        priority=row["priority"],
        front=row["front"],
        not_before=row["not_before"],
        excluded={agent: _time(at) for agent, at in row["excluded"].items()},
    )


def _request(row: Any) -> Request:
    return Request(
        origin=Origin(row["kind"]) if row["kind"] else None,
        requested_at=row["requested_at"],
        promised_at=row["promised_at"],
        time_zone=row["time_zone"],
    )


def _case(row: Any) -> Case:
    return Case(
        name=row["name"],
        callback_type=row["callback_type"],
        data=row["case_data"],
        instructions=row["instructions"],
        disposition=row["disposition"],
        note=row["note"],
    )


def readable(row: Any) -> Interaction | None:
    """The same, or None, logged and counted, for a row that this version cannot make anything of."""
    try:
        return interaction(row)
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        metrics.UNREADABLE.inc()
        log.error("row not readable", interaction=str(row["id"]), error=type(error).__name__)
        return None


def _time(text: str) -> datetime:
    return msgspec.convert(text, datetime)


def _leg(record: dict[str, Any]) -> Leg:
    return Leg(record["id"], Role(record["role"]), record["party"], LegState(record["state"]))


def attempt(record: dict[str, Any]) -> Attempt:
    """One attempt out of the JSON Postgres made of its row."""
    return Attempt(
        id=record["id"],
        n=record["n"],
        agent=record["agent"],
        started_at=_time(record["started_at"]),
        answered_at=_time(record["answered_at"]) if record["answered_at"] else None,
        ended_at=_time(record["ended_at"]) if record["ended_at"] else None,
        outcome=Outcome(record["outcome"]) if record["outcome"] else None,
        sip_cause=record["sip_cause"],
    )
