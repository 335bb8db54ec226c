"""What interactions look like to who may see them. Pure."""

from datetime import datetime
from typing import Any

from routing.api.interactions import answers
from routing.core.interaction import Attempt, Deadline, Interaction, LegState, Role
from routing.core.numbers import masked
from routing.core.queues import Queue
from routing.store.read.feed import Line


def interaction(it: Interaction, place: int | None, *, full: bool) -> answers.Interaction:
    """`full`: with the whole number."""
    return answers.Interaction(
        id=it.id,
        status=it.status,
        stage=it.stage,
        communication_type="voice",
        subtype=it.subtype,
        kind=it.request.origin,
        queue=it.queue,
        number=it.number if full else masked(it.number),
        dialled_number=it.dialled_number,
        assigned_to=it.assigned_to,
        priority=it.place.priority,
        entered_at=it.entered_at,
        queued_at=it.place.queued_at,
        due_at=it.deadlines.get(Deadline.DUE),
        promised_at=it.appointment,
        expires_at=it.deadlines.get(Deadline.EXPIRY),
        attempts=[_attempt(it, each) for each in it.attempts],
        outcome=it.outcome,
        disposition=it.case.disposition,
        case_data=it.case.data,
        instructions=it.case.instructions,
        position=place,
        version=it.version,
        name=it.case.name,
        callback_type=it.case.callback_type,
        time_zone=it.request.time_zone,
        not_before=it.place.not_before,
    )


def _attempt(it: Interaction, attempt: Attempt) -> answers.Attempt:
    return answers.Attempt(
        id=attempt.id,
        n=attempt.n,
        state=_attempt_state(it, attempt),
        outcome=attempt.outcome,
        sip_cause=attempt.sip_cause,
        started_at=attempt.started_at,
        answered_at=attempt.answered_at,
        ended_at=attempt.ended_at,
    )


def _attempt_state(it: Interaction, attempt: Attempt) -> answers.AttemptState:
    if attempt.ended_at:
        return "ended"
    if attempt.answered_at:
        return "answered"
    customer = it.leg(Role.CUSTOMER)
    return "ringing" if customer and customer.state is LegState.RINGING else "dialing"


def offer(it: Interaction, place: int | None, queue: Queue, now: datetime) -> answers.Offer:
    """The preview for the agent it is offered to, who sees the whole number."""
    auto = (it.desk.accept_mode or queue.offer.accept_mode) == "auto"
    return answers.Offer(
        interaction=interaction(it, place, full=True),
        deadline=it.deadlines.get(Deadline.OFFER),
        accept_mode="auto" if auto else "manual",
        countdown=queue.offer.countdown if auto else None,
        reject_allowed=queue.offer.reject_allowed,
        waited=max(0, int((now - (it.appointment or it.entered_at)).total_seconds())),
    )


def feed_line(line: Line, *, full: bool) -> answers.FeedLine:
    """`full`: with whole numbers."""
    data = line.data if full or line.data.get("field") != "number" else _masked(line.data)
    return answers.FeedLine(line.seq, line.at, line.event, line.actor, line.status, data)


def _masked(edit: dict[str, Any]) -> dict[str, Any]:
    return {**edit, "old": masked(edit["old"]), "new": masked(edit["new"])}
