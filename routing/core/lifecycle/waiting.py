"""Open and bot: a caller waits and meets the timed workflow, or a callback waits for an agent.

Rules: docs/lifecycle.md, "What a waiting caller goes through".
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from ivr.workflow import HangUpAction, Plain, Step
from routing.core.effects import Answer, HangUp
from routing.core.events import (
    CallerArrived,
    DigitPressed,
    DuplicateFound,
    Event,
    LegGone,
    Offered,
    PickedUp,
    SayFinished,
)
from routing.core.interaction import (
    IN_LINE,
    Deadline,
    Desk,
    Interaction,
    Kind,
    Leg,
    LegState,
    Role,
    Stage,
    Status,
    Subtype,
)
from routing.core.lifecycle import connected, ending, offered
from routing.core.lifecycle.change import Change, Decision
from routing.core.lifecycle.refusals import refuse
from routing.core.numbers import callable_from, called, refusal, to_e164, typed
from routing.core.queues import Queue

MOST_DIGITS = 40
"""More than any number has, also behind the longest prefix: what is too long stays too long."""
ASKS_FOR_CALLBACK = (Stage.MENU, Stage.NUMBER_ENTRY, Stage.CONFIRM)


def arrive(interaction_id: UUID, queue: Queue, version: int, event: CallerArrived, now: datetime) -> Decision:
    """The row of a call that just came in: open, inbound, at the end of the line (T1)."""
    number = to_e164(event.number, queue.region, event.written)
    dialled = called(queue, event.dialled, event.written)
    caller = Leg(event.leg, Role.CALLER, number or event.number or "", LegState.UP)
    it = Interaction(
        id=interaction_id,
        queue=queue.name,
        queue_version=version,
        entered_at=now,
        queued_at=now,
        number=number,
        dialled_number=dialled,
        legs=(caller,),
    )
    c = Change(it, queue, now, "caller")
    c.tell("entered", dialled_number=dialled)
    _await_step(c, 0)
    c.do(Answer(caller.id, it.id.hex))
    c.music(caller)
    return c.decision()


# Status open


def when_open(c: Change, event: Event) -> None:
    match event:
        case Offered() | PickedUp() if c.it.subtype is Subtype.INBOUND and caller_lost(c):
            pass
        case Offered(agent, desk) if _may_be_offered(c):
            offered.offer(c, agent, desk)
        case PickedUp(agent, desk):
            connected.pick_up(c, agent, desk)
        case SayFinished(_, say) if say == c.it.waiting.playing:
            c.said()
            end_step(c)
        case LegGone(leg, lost=lost) if _is_caller(c, leg):
            caller_gone(c, lost=lost)
        case _:
            refuse(c, event)


def _may_be_offered(c: Change) -> bool:
    return c.it.not_before is None or c.it.not_before <= c.now


def _is_caller(c: Change, leg_id: str) -> bool:
    leg = c.leg(Role.CALLER)
    return leg is not None and leg.id == leg_id


# The timed workflow


def _await_step(c: Change, index: int | None) -> None:
    """Set the timer of step `index`, or of the next that has something to say, counted from now."""
    index = _next_told(c, index)
    if index is None:
        c.clear(Deadline.STEP)
        return
    c.set(waiting=replace(c.it.waiting, step=index))
    c.due_in(Deadline.STEP, c.queue.workflow.steps[index].after)


def _next_told(c: Change, index: int | None) -> int | None:
    steps = c.queue.workflow.steps
    for _ in steps:
        if index is None or index >= len(steps):
            return None
        if _is_told(c, steps[index]):
            return index
        index = c.queue.workflow.index_after(index)
    return None


def _is_told(c: Change, step: Step) -> bool:
    """A menu names all its keys: where no call back is taken, none that offers one is played."""
    if step.announce:
        return bool(_announced(step.announce))
    return c.queue.callback.enabled or Plain.CALLBACK not in step.keys.values()


def _announced(words: tuple[str, ...]) -> tuple[str, ...]:
    """What is really said: no waiting time is estimated yet."""
    return tuple(word for word in words if word != "wait")


def _step(c: Change) -> Step:
    return c.queue.workflow.steps[c.it.waiting.step]


def step_due(c: Change) -> None:
    """Run the step: an announcement leaves the interaction open, a question makes it bot (T2)."""
    caller = c.leg(Role.CALLER)
    if caller is None:
        return
    step = _step(c)
    if step.announce:
        c.set(stage=Stage.ANNOUNCING)
        words = _announced(step.announce)
        c.tell("announced", step=c.it.waiting.step, what=list(words))
        c.say(caller, *words)
    else:
        c.set(status=Status.BOT, stage=Stage.MENU)
        c.tell("menu_started", step=c.it.waiting.step, menu=step.menu)
        _ask(c, _menu_words(step))


def end_step(c: Change) -> None:
    """Back to the music; the next step's timer starts now (T3)."""
    was_bot = c.it.status is Status.BOT
    c.clear(Deadline.KEY)
    if c.it.status is not Status.OFFERED:
        c.set(status=Status.OPEN)
    c.set(stage=None, waiting=replace(c.it.waiting, tries=0, digits=""))
    if caller := c.leg(Role.CALLER):
        c.hush(caller)
        c.music(caller)
    if was_bot:
        c.tell("kept_waiting")
    _await_step(c, c.queue.workflow.index_after(c.it.waiting.step))


def resume_waiting(c: Change) -> None:
    """The caller waits on after an offer came to nothing; a step that fell due meanwhile runs at once (E6)."""
    if c.leg(Role.CALLER) and Deadline.STEP not in c.it.deadlines and not c.it.waiting.playing:
        _await_step(c, c.queue.workflow.index_after(c.it.waiting.step))


# Status bot


def when_bot(c: Change, event: Event) -> None:
    match event:
        case DigitPressed(leg, digit) if _is_caller(c, leg):
            _digit(c, digit)
        case SayFinished(_, say) if say == c.it.waiting.playing:
            _say_finished(c)
        case LegGone(leg, lost=lost) if _is_caller(c, leg):
            caller_gone(c, lost=lost)
        case LegGone(leg, certain=certain) if (gone := c.it.leg_with(leg)) and gone.role is Role.CUSTOMER:
            c.gone(gone, certain=certain)
            back_to_line(c, front=True)
        case DuplicateFound() if c.it.stage in ASKS_FOR_CALLBACK:
            _duplicate(c)
        case _:
            refuse(c, event)


def _digit(c: Change, digit: str) -> None:
    match c.it.stage:
        case Stage.MENU:
            _menu_key(c, digit)
        case Stage.CONFIRM if c.it.waiting.playing is None:  # a digit before the read-back ended says nothing
            _confirm_key(c, digit)
        case Stage.NUMBER_ENTRY:
            _number_key(c, digit)
        case _:
            c.ignore()


def _say_finished(c: Change) -> None:
    c.said()
    match c.it.stage:
        case Stage.BOOKED | Stage.LEAVING | Stage.APOLOGY:
            _hang_up_when_said(c)
        case _:
            c.due_in(Deadline.KEY, _step(c).timeout)
            _music_for_caller(c)


def _hang_up_when_said(c: Change) -> None:
    """Asked again until the leg reports its end."""
    for leg in c.it.legs:
        c.do(HangUp(leg.id))
    c.due_in(Deadline.SAY, 5)


def say_overdue(c: Change) -> None:
    """A prompt never reported its end: go on as if it had."""
    match c.it.status:
        case Status.BOT:
            _say_finished(c)
        case Status.OPEN | Status.OFFERED:
            end_step(c)
        case _:
            connected.greeting_over(c)


def _music_for_caller(c: Change) -> None:
    if caller := c.leg(Role.CALLER):
        c.music(caller)


def _ask(c: Change, words: tuple[str, ...]) -> None:
    c.clear(Deadline.KEY)
    if caller := c.leg(Role.CALLER):
        c.say(caller, *words)


def ask_again(c: Change) -> None:
    """Say the last words once more, from the beginning."""
    for leg in c.it.legs:
        c.say(leg, *c.it.waiting.words)
    c.clear(Deadline.KEY)


def no_key(c: Change) -> None:
    """The caller let the time for a key pass."""
    match c.it.stage:
        case Stage.MENU:
            _wrong_in_menu(c)
        case Stage.CONFIRM:
            _wrong_in_confirm(c)
        case Stage.NUMBER_ENTRY:
            wrong_in_entry(c)
        case _:
            c.ignore()


def _one_more_try(c: Change, most: int) -> bool:
    c.set(waiting=replace(c.it.waiting, tries=c.it.waiting.tries + 1, digits=""))
    return c.it.waiting.tries < most


# The menu


def _menu_words(step: Step) -> tuple[str, ...]:
    return (f"menu-{step.menu}",)


def _menu_key(c: Change, digit: str) -> None:
    action = _step(c).keys.get(digit)
    c.tell("digit_pressed", "caller", digit=digit, menu=_step(c).menu)
    match action:
        case Plain.WAIT:
            end_step(c)
        case Plain.CALLBACK:
            _choose_callback(c)
        case HangUpAction(hangup=farewell):
            c.set(stage=Stage.LEAVING, outcome="overflow:hangup")
            _ask(c, (farewell.say,))
        case _:
            _wrong_in_menu(c, "invalid")


def _wrong_in_menu(c: Change, *first: str) -> None:
    if _one_more_try(c, _step(c).tries):
        _ask(c, (*first, *_menu_words(_step(c))))
    else:
        end_step(c)


# The number dialogue


def _choose_callback(c: Change) -> None:
    """The key that commits the request, when the caller's number can be dialled (T4)."""
    if c.it.number:
        c.set(requested_at=c.now, waiting=replace(c.it.waiting, tries=0))
        c.tell("callback_requested", "caller")
        _read_back(c, c.it.number)
    elif c.queue.callback.alternate_number:
        enter_number(c)
    else:
        leave_dialogue(c, "cannot-call-back")


def _read_back(c: Change, number: str) -> None:
    c.set(stage=Stage.CONFIRM)
    keys = "confirm-keys-other" if c.queue.callback.alternate_number else "confirm-keys"
    _ask(c, ("confirm-number", f"digits:{number}", keys))


def _candidate(c: Change) -> str:
    """The number being confirmed: the one just entered, else the caller's own."""
    return c.it.waiting.digits or c.it.number or ""


def _confirm_key(c: Change, digit: str) -> None:
    match digit:
        case "1":
            book(c)
        case "2" if c.queue.callback.alternate_number:
            enter_number(c)
        case "*":
            _withdraw(c)
        case _:
            _wrong_in_confirm(c, "invalid")


def _wrong_in_confirm(c: Change, *first: str) -> None:
    """Read it again. A committed request that is never answered stands, though not for another number that was not
    confirmed: nothing the caller asked for is lost."""
    number = _candidate(c)
    c.set(waiting=replace(c.it.waiting, tries=c.it.waiting.tries + 1))
    if c.it.waiting.tries < _step(c).tries:
        _read_back(c, number)
    elif c.it.requested_at:
        c.set(waiting=replace(c.it.waiting, digits=""))
        book(c)
    else:
        leave_dialogue(c)


def book(c: Change) -> None:
    """Confirmed. The promise is played only after this is stored (A5)."""
    c.set(
        stage=Stage.BOOKED,
        number=_candidate(c),
        requested_at=c.it.requested_at or c.now,
        promised_at=max(c.now, c.it.requested_at or c.now),
        waiting=replace(c.it.waiting, digits=""),
    )
    c.tell("callback_confirmed", "caller")
    _ask(c, ("booked",))


def _withdraw(c: Change) -> None:
    c.set(requested_at=None)
    c.tell("callback_withdrawn", "caller")
    leave_dialogue(c)


def leave_dialogue(c: Change, *words: str) -> None:
    """Back to waiting at the same place, after a last word if there is one."""
    c.set(requested_at=None)
    if not words:
        end_step(c)
        return
    c.set(status=Status.OPEN, stage=Stage.ANNOUNCING)
    _ask(c, words)


def _duplicate(c: Change) -> None:
    """The older callback of this number stands; this caller may wait on."""
    c.tell("callback_duplicate")
    leave_dialogue(c, "callback-exists")


def enter_number(c: Change, *first: str) -> None:
    c.set(stage=Stage.NUMBER_ENTRY, waiting=replace(c.it.waiting, tries=0, digits=""))
    _ask(c, (*first, "enter-number"))


def _number_key(c: Change, digit: str) -> None:
    """Collect digits; the prompt can be cut short, `#` ends, `*` goes back to waiting."""
    match digit:
        case "*":
            _withdraw(c)
        case "#":
            _number_entered(c)
        case _:
            if (caller := c.leg(Role.CALLER)) and c.it.waiting.playing:
                c.hush(caller)
                c.music(caller)  # who pauses between digits hears that somebody is there
            digits = (c.it.waiting.digits + digit)[:MOST_DIGITS]
            c.set(waiting=replace(c.it.waiting, digits=digits))
            c.due_in(Deadline.KEY, _step(c).timeout)


def _number_entered(c: Change) -> None:
    number = typed(c.it.waiting.digits, c.queue.region)
    if number is None or refusal(number, c.queue, typed=number != c.it.number):
        wrong_in_entry(c, "invalid-number")
        return
    c.set(waiting=replace(c.it.waiting, tries=0, digits=number))
    _read_back(c, number)


def wrong_in_entry(c: Change, *first: str) -> None:
    if _one_more_try(c, _step(c).tries):
        _ask(c, (*first, "enter-number"))
    elif c.it.requested_at:
        book(c)
    else:
        leave_dialogue(c)


# The caller hangs up


def caller_gone(c: Change, *, lost: bool) -> None:
    """A request that was committed becomes a callback (T4); without one the caller has abandoned (T7), or was lost
    by us."""
    if caller := c.leg(Role.CALLER):
        c.forget(caller)
    if c.it.outcome:
        ending.close(c, c.it.outcome)
    elif c.it.requested_at and (lost or not _hang_up_withdraws(c)):
        convert(c)
    elif lost:
        caller_lost(c)
    else:
        abandon(c)


def _hang_up_withdraws(c: Change) -> bool:
    in_dialogue = c.it.stage in (Stage.CONFIRM, Stage.NUMBER_ENTRY)
    return in_dialogue and c.queue.callback.on_hangup == "abandon"


def caller_lost(c: Change) -> bool:
    """A call whose caller is not there, and did not hang up, was lost by us: it is closed (T38)."""
    if c.leg(Role.CALLER) or c.it.status not in IN_LINE:
        return False
    lose(c)
    return True


def lose(c: Change) -> None:
    """Nobody is there any more to wait, and it is our doing."""
    c.tell("caller_lost", "system")
    ending.close(c, "error")


def abandon(c: Change) -> None:
    waited = (c.now - c.it.entered_at).total_seconds()
    c.tell("abandoned", "caller", waited=round(waited, 3))
    ending.close(c, "short_abandon" if waited < c.queue.abandon.short else "abandoned")


def convert(c: Change) -> None:
    """Inbound becomes callback: same interaction, same place unless the queue says otherwise (T4, I5, I6)."""
    from_then = c.now + timedelta(seconds=c.queue.callback.initial_delay)
    opens = callable_from(c.it.number or "", c.queue, from_then) or from_then
    place = c.queue.callback.place
    c.clear_all()
    c.set(
        status=Status.OPEN,
        stage=None,
        subtype=Subtype.CALLBACK,
        kind=Kind.QUEUED,
        not_before=opens,
        promised_at=c.it.promised_at or c.it.requested_at,
        queued_at=c.now if place == "end" else c.it.queued_at,
        priority=c.it.priority + (place if isinstance(place, int) else 0),
        waiting=replace(c.it.waiting, playing=None, digits="", tries=0),
    )
    c.due_in(Deadline.EXPIRES, (opens - from_then).total_seconds() + c.queue.dial.ttl)
    c.tell("converted", "caller", subtype="callback")


def back_to_line(c: Change, *, front: bool) -> None:
    """Nobody has it any more; it waits at its place, or before everyone else."""
    c.clear(*(kind for kind in c.it.deadlines if kind not in (Deadline.EXPIRES, Deadline.STEP, Deadline.SAY)))
    stage = Stage.ANNOUNCING if c.it.waiting.playing and c.leg(Role.CALLER) else None
    c.set(status=Status.OPEN, stage=stage, assigned_to=None, desk=Desk(), front=front or c.it.front)
    if c.leg(Role.CALLER) is None:
        c.said()
    c.tell("reopened", "system", front=c.it.front)
    resume_waiting(c)
