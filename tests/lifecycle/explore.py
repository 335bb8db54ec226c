"""Walks every state `decide` can reach, so that the diagram in docs/lifecycle.md and the tests see what is there.

Pure and exhaustive up to a likeness: two interactions with the same status, stage, subtype, legs and kinds of
deadline are taken as the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from routing.core.context import Context, Situation
from routing.core.errors import RingbackError
from routing.core.events import (
    AgentReleased,
    CallEnded,
    CallerArrived,
    CallStopped,
    Cancelled,
    DigitPressed,
    DuplicateFound,
    Edited,
    Event,
    LegAnswered,
    LegGone,
    LegRinging,
    LineDied,
    NoteAdded,
    NumberRefused,
    OfferAccepted,
    Offered,
    OfferRejected,
    OfferWithdrawn,
    PickedUp,
    PromptFinished,
    Reassigned,
    Redialled,
    Requeued,
    Rescheduled,
    ServiceRestarted,
    Settled,
    TimeReached,
    WorkDone,
)
from routing.core.interaction import Deadline, Interaction, Role, Status
from routing.core.lifecycle import Decision, arrive, decide
from routing.core.numbers import Rule
from routing.core.queues import Queue

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGENT = "1001"
OTHER_NUMBER = "+4915198765432"
CAUSES = (None, 404, 486, 503)
QUEUE = Queue.model_validate_json(
    """{"name": "support", "numbers": ["600"], "callback": {"alternate_number": true},
        "dial": {"max_attempts": 2, "retry": {"busy": [2, 300], "no_answer": [2, 900]}},
        "workflow": {"steps": [
            {"after": 10, "announce": ["position", "wait"]},
            {"after": 20, "menu": "offer", "tries": 2,
             "keys": {"1": "wait", "2": "callback", "9": {"hangup": {"say": "goodbye"}}}}]}}"""
)


@dataclass(frozen=True, slots=True)
class Move:
    """One decision: from where, by what, to what. `decision` is None when a person was refused."""

    before: Interaction
    event: Event
    decision: Decision | None
    refusal: RingbackError | None = None


def arrival(queue: Queue = QUEUE, number: str = "+4915112345678") -> Decision:
    event = CallerArrived("caller-1", "600", number)
    return arrive(UUID(int=7), Context(queue, START), 1, event)


def moves(queue: Queue = QUEUE, number: str = "+4915112345678") -> Iterator[Move]:
    """Every move from every state that can be reached from an arriving call."""
    first = arrival(queue, number).interaction
    seen, todo = {_likeness(first)}, [(first, START)]
    while todo:
        it, now = todo.pop()
        for event, at in possible(it, now):
            move = _move(it, queue, event, at)
            yield move
            if move.decision and (likeness := _likeness(move.decision.interaction)) not in seen:
                seen.add(likeness)
                todo.append((move.decision.interaction, at))


@cache
def every_move() -> tuple[Move, ...]:
    """Those of the queue above, made once for all tests."""
    return tuple(moves())


def _move(it: Interaction, queue: Queue, event: Event, at: datetime) -> Move:
    try:
        return Move(it, event, decide(it, Context(queue, at, Situation(position=1)), event))
    except RingbackError as refusal:
        return Move(it, event, None, refusal)


def possible(it: Interaction, now: datetime) -> Iterator[tuple[Event, datetime]]:
    """What may happen next, sensible or not, and when."""
    soon = now + timedelta(milliseconds=50)
    for leg in it.legs:
        for cause in CAUSES:
            yield LegGone(leg.id, cause), soon
        yield LegGone(leg.id, refused=True), soon
        yield LegGone(leg.id, certain=False, lost=True), soon
        yield LineDied(leg.id), soon
        if leg.role is Role.CALLER:
            for digit in "1259*#":
                yield DigitPressed(leg.id, digit), soon
        else:
            yield LegRinging(leg.id), soon
            yield LegAnswered(leg.id), soon
    if it.playing:
        yield PromptFinished("any", it.playing), soon
    for agent in (AGENT, "1002"):
        yield OfferAccepted(agent), soon
        yield OfferRejected(agent), soon
        yield CallEnded(agent), soon
        yield Redialled(agent), soon
        yield WorkDone(agent, "solved", "a note"), soon
        yield PickedUp(agent), soon
    for by in ("operator:admin", f"agent:{AGENT}"):
        yield Rescheduled(by, soon + timedelta(hours=1)), soon
        yield Settled(by, resolved=True), soon
        yield Settled(by, resolved=False), soon
        yield Edited(by, number=OTHER_NUMBER, case_data={"plan": "gold"}), soon
    yield NoteAdded("agent:1002", "a note"), soon
    yield Cancelled("operator:admin"), soon
    yield CallStopped("operator:admin"), soon
    yield AgentReleased("operator:admin", AGENT, "gone home"), soon
    yield Requeued("operator:admin", priority=5), soon
    for to in (None, AGENT, "1002"):
        yield Reassigned("operator:admin", to), soon
    yield Offered(AGENT), soon
    yield Offered(AGENT), soon + timedelta(minutes=1)
    yield OfferWithdrawn(AGENT, "logged_out"), soon
    yield DuplicateFound(""), soon
    for rule in (Rule.DO_NOT_CALL, Rule.REGISTER, Rule.WINDOW):
        yield NumberRefused(rule, soon + timedelta(hours=1)), soon
    yield ServiceRestarted(), soon
    yield ServiceRestarted(bridged=True), soon
    yield TimeReached(), soon
    if it.wake_at:
        yield TimeReached(), max(it.wake_at, now)


def _likeness(it: Interaction) -> tuple[object, ...]:
    legs = tuple(sorted((leg.role, leg.state) for leg in it.legs))
    waiting: tuple[object, ...] = (it.waiting.step if it.legs else 0,)
    if it.status is Status.BOT:
        waiting += (it.waiting.tries, bool(it.waiting.digits), it.playing is None)
    tried = it.attempts[-1].outcome if it.attempts else None
    kinds = tuple(sorted(kind for kind in it.deadlines if kind not in (Deadline.PLAYBACK, Deadline.EXPIRY)))
    return (it.status, it.stage, it.subtype, legs, waiting, tried, kinds, bool(it.request.requested_at))
