"""Who may see what of it, and what it then looks like. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from routing.api import answers
from routing.api.permissions import HOLDERS, Permission
from routing.core import agents
from routing.core.interaction import Attempt, Deadline, Interaction, LegState, Role
from routing.core.numbers import masked
from routing.core.queues import Queue
from routing.store.agents import Agent
from routing.store.feed import Line
from routing.store.queues import Stored
from routing.store.tokens import Identity


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `queues`: the ones an agent serves; None sees all of them."""

    identity: Identity
    queues: frozenset[str] | None = None

    @property
    def reads_numbers(self) -> bool:
        """Whether every number is shown in full."""
        return self.identity.role in HOLDERS[Permission.PII_READ]

    def may_see(self, it: Interaction) -> bool:
        return self.queues is None or it.queue in self.queues or self.owns(it)

    def may_see_agent(self, agent: Agent) -> bool:
        return self.queues is None or agent.id == self.identity.agent or bool(agent.queues & self.queues)

    def may_see_queue(self, name: str) -> bool:
        return self.queues is None or name in self.queues

    def owns(self, it: Interaction) -> bool:
        return it.assigned_to is not None and it.assigned_to == self.identity.agent

    def reads_number_of(self, it: Interaction) -> bool:
        return self.reads_numbers or self.owns(it)


def interaction(it: Interaction, place: int | None, *, full: bool) -> answers.Interaction:
    """`full`: with the whole number."""
    return answers.Interaction(
        id=it.id,
        status=it.status,
        stage=it.stage,
        communication_type="voice",
        subtype=it.subtype,
        kind=it.kind,
        queue=it.queue,
        number=it.number if full else masked(it.number),
        dialled_number=it.dialled_number,
        assigned_to=it.assigned_to,
        priority=it.priority,
        entered_at=it.entered_at,
        queued_at=it.queued_at,
        due_at=it.deadlines.get(Deadline.DUE),
        promised_at=it.appointment,
        expires_at=it.deadlines.get(Deadline.EXPIRES),
        attempts=[_attempt(it, each) for each in it.attempts],
        outcome=it.outcome,
        disposition=it.disposition,
        case_data=it.case_data,
        instructions=it.instructions,
        position=place,
        version=it.version,
        name=it.name,
        callback_type=it.callback_type,
        time_zone=it.time_zone,
        not_before=it.not_before,
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


def queue(stored: Stored) -> answers.ShownQueue:
    return answers.ShownQueue.model_construct(**dict(stored.queue), switches=stored.switches)


def feed_line(line: Line, *, full: bool) -> answers.FeedLine:
    """`full`: with whole numbers."""
    data = line.data if full or line.data.get("field") != "number" else _masked(line.data)
    return answers.FeedLine(line.seq, line.at, line.event, line.actor, line.status, data)


def _masked(edit: dict[str, Any]) -> dict[str, Any]:
    return {**edit, "old": masked(edit["old"]), "new": masked(edit["new"])}


def agent(stored: Agent, phone: agents.PhoneState) -> answers.Agent:
    settings = stored.settings
    state, reason = agents.shown(stored.availability, stored.reason, stored.work, phone)
    return answers.Agent(
        id=stored.id,
        name=settings.name,
        queues=[answers.Serves(each.queue, each.penalty) for each in settings.queues],
        skills=list(settings.skills),
        accept_mode=settings.accept_mode,
        auto_answer=settings.auto_answer,
        wrap_up=settings.wrap_up,
        state=state,
        reason=reason,
        phone=phone,
        since=stored.since,
        interaction=stored.interaction,
    )
