"""The timed workflow of a waiting caller: which step is next, and when (T2, T3).

Rules: docs/lifecycle.md, "What a waiting caller goes through".
"""

from dataclasses import replace

from ivr import prompts
from ivr.workflow import Plain, Step
from routing.core.feed import FeedEvent
from routing.core.interaction import Deadline, Role, Status
from routing.core.lifecycle.change import Change


def await_step(c: Change, index: int | None) -> None:
    """Set the timer of step `index`, or of the next that has something to say, counted from now."""
    index = _next_told(c, index)
    if index is None:
        c.clear(Deadline.NEXT_STEP)
        return
    c.set(waiting=replace(c.it.waiting, step=index))
    c.due_in(Deadline.NEXT_STEP, c.queue.workflow.steps[index].after)


def await_next(c: Change) -> None:
    await_step(c, c.queue.workflow.index_after(c.it.waiting.step))


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
        return bool(_known(step.announce))
    return c.queue.callback.enabled or Plain.CALLBACK not in step.keys.values()


def announced(c: Change, words: tuple[str, ...]) -> tuple[str, ...]:
    """What is really said: no place that nobody knows."""
    return tuple(word for word in _known(words) if word != "position" or c.situation.position)


def _known(words: tuple[str, ...]) -> tuple[str, ...]:
    """No waiting time is estimated yet."""
    return tuple(word for word in words if word != "wait")


def spoken(c: Change, told: tuple[str, ...]) -> tuple[str, ...]:
    """The words for it."""
    place = prompts.position(c.situation.position or 0)
    return tuple(word for each in told for word in (place if each == "position" else (each,)))


def step(c: Change) -> Step:
    return c.queue.workflow.steps[c.it.waiting.step]


def end_step(c: Change) -> None:
    """Back to the music; the next step's timer starts now (T3)."""
    was_bot = c.it.status is Status.BOT
    c.clear(Deadline.INPUT)
    if c.it.status is not Status.OFFERED:
        c.set(status=Status.OPEN)
    c.set(stage=None, waiting=replace(c.it.waiting, tries=0, digits=""))
    if caller := c.leg(Role.CALLER):
        c.music_again(caller)
    if was_bot:
        c.tell(FeedEvent.KEPT_WAITING)
    await_next(c)


def resume_waiting(c: Change) -> None:
    """The caller waits on after an offer came to nothing; a step that fell due meanwhile runs at once (E6)."""
    if c.leg(Role.CALLER) and Deadline.NEXT_STEP not in c.it.deadlines and not c.it.playing:
        await_next(c)
