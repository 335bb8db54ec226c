"""A11: what is written about a call is what its far end lived through.

Whose answer or key had reached the process' machine in time was there, also where the process was stopped meanwhile:
no agent who lifted becomes Not Ready, no customer who answered a NO_ANSWER, no caller who asked for a callback a lost
one. Nor is it written of anybody that they were called, or have gone, when it is not so.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialplan.ari import models
from dialplan.listen import made_by_us
from routing.core.interaction import Attempt, Deadline, Interaction, Outcome, Role, Stage, Status
from tests.model.memory import Commit, Memory
from tests.simulation.ari import Socket
from tests.simulation.asterisk import Asterisk
from tests.simulation.world import World

Fail = Callable[[str, str, Iterable[str]], None]

JUST = 0.1
"""Seconds before a deadline within which it is anybody's."""

SOON = 0.5
"""Seconds in which a decision that was made before is carried out."""

HEARD = {"digit_pressed", "callback_duplicate", "number_refused"}
GONE = ("abandoned", "short_abandon")
ANSWERED = frozenset({Outcome.ANSWERED, Outcome.CUSTOMER_HUNG_UP})


@dataclass(frozen=True)
class Reached:
    """When something reached the machine of a process, and on which connection."""

    at: float
    socket: Socket


class Lived:
    """`reached` is told what arrives, `committed` what is written."""

    def __init__(self, world: World, memory: Memory, asterisk: Asterisk, figures: Counter[str], fail: Fail) -> None:
        self._world = world
        self._memory = memory
        self._asterisk = asterisk
        self._figures = figures
        self._fail = fail
        self._up: dict[str, Reached] = {}
        self._asked: dict[str, Reached] = {}
        self._left: dict[str, Reached] = {}
        self._invited: set[str] = set()
        self._answered: set[str] = set()

    def reached(self, socket: Socket, event: models.AnyEvent) -> None:
        match event:
            case models.ChannelStateChange(channel=channel) if channel.state == "Up":
                self._note(self._up, "answered", channel.id, socket)
            case models.ChannelDestroyed(channel=channel) | models.StasisEnd(channel=channel) if _is_end(event):
                self._left.setdefault(channel.id, Reached(self._world.now, socket))
            case models.ChannelDtmfReceived(digit="2", channel=channel) if self._is_asked(channel.id):
                self._note(self._asked, "asked for a callback", channel.id, socket)
            case _:
                pass

    def _note(self, where: dict[str, Reached], what: str, leg: str, socket: Socket) -> None:
        where.setdefault(leg, Reached(self._world.now, socket))
        self._figures[f"lived {what}"] += 1
        self._figures[f"lived {what} while it stood still"] += socket.runner.paused

    def _is_asked(self, leg: str) -> bool:
        """Whether this caller's menu waits for a key, by the row; a key that comes after the hang-up is too late."""
        row = self._memory.legs.get(leg)
        it = self._memory.rows[row.interaction] if row and row.live else None
        if it is None or it.stage is not Stage.MENU or it.number is None or leg in self._left:
            return False
        return Deadline.INPUT not in it.deadlines or it.deadlines[Deadline.INPUT] > self._wall(self._world.now + JUST)

    def answered(self, leg: str) -> None:
        self._answered.add(leg)

    def called(self, leg: str, epoch: int, sent_at: float) -> None:
        """Nobody is called for an agent whose phone was known to have gone when the command was sent."""
        self._invited.add(leg)
        row = self._memory.legs[leg]
        agent = self._memory.rows[row.interaction].leg(Role.AGENT)
        gone = self._left.get(agent.id) if agent and row.leg.role is Role.CUSTOMER else None
        if gone and gone.socket.epoch == epoch and sent_at - gone.at > SOON:
            self._fail("A11", f"{leg[:8]} is called for {agent.party}, whose phone has gone", {leg})

    def committed(self, commit: Commit) -> None:
        if (before := commit.before) is None:
            return
        for ended in _ended(before, commit.after):
            self._attempt(before, ended, commit)
        if any(line.event == "rona" for line in commit.feed):
            self._rona(before, commit)
        if commit.after.status is Status.CLOSED and commit.after.outcome in GONE:
            self._gone(before, commit)

    def _attempt(self, before: Interaction, ended: Attempt, commit: Commit) -> None:
        if ended.outcome in ANSWERED and ended.id not in self._answered:
            self._tell(commit, f"attempt {ended.id[:8]} ended as {ended.outcome}, and nobody had answered", ended.id)
        if ended.outcome is not Outcome.NO_ANSWER:
            return
        if ended.id not in self._invited:
            self._tell(commit, f"attempt {ended.id[:8]} ended as no_answer, and nobody was called", ended.id)
        if self._in_time(self._up.get(ended.id), before, Deadline.CUSTOMER_ANSWER, commit):
            self._tell(commit, f"attempt {ended.id[:8]} ended as no_answer though answered in time", ended.id)

    def _rona(self, before: Interaction, commit: Commit) -> None:
        """An agent whose phone was rung and who lifted; one who has to accept otherwise is not told by it."""
        leg = before.leg(Role.AGENT)
        if leg and self._in_time(self._up.get(leg.id), before, Deadline.AGENT_ANSWER, commit):
            self._tell(commit, f"agent {leg.party} had lifted in time, and is not ready", leg.id)

    def _gone(self, before: Interaction, commit: Commit) -> None:
        lines = [line.event for each, _, line in self._memory.feed if each == before.id]
        caller = before.leg(Role.CALLER)
        if caller is None or "line_dead" in lines:
            return
        channel = self._asterisk.channels.get(caller.id)
        if channel and channel.given_back_by in (None, commit.owner.epoch):  # not by a predecessor, just before
            self._tell(commit, "a caller who is still there was written off", caller.id)
        asked = self._asked.get(caller.id)
        if asked and HEARD.isdisjoint(lines) and self._was_heard(asked, commit):
            self._tell(commit, "a caller asked for a callback in time, and is written off", caller.id)

    def _in_time(self, up: Reached | None, before: Interaction, deadline: Deadline, commit: Commit) -> bool:
        due = before.deadlines.get(deadline)
        return bool(up and due and due > self._wall(up.at + JUST) and self._was_heard(up, commit))

    def _was_heard(self, it: Reached, commit: Commit) -> bool:
        """Whether it was the process that wrote this which could have known."""
        return it.socket.open and it.socket.runner.alive and it.socket.epoch == commit.owner.epoch

    def _wall(self, at: float) -> datetime:
        return self._memory.now() + timedelta(seconds=at - self._world.now)

    def _tell(self, commit: Commit, what: str, leg: str) -> None:
        self._fail("A11", f"{commit.after.id.hex[:8]}: {what}", {leg, commit.after.id.hex})


def _is_end(event: models.ChannelDestroyed | models.StasisEnd) -> bool:
    """Of legs that were made by the service the reason counts, which comes a little later."""
    return isinstance(event, models.ChannelDestroyed) or not made_by_us(event.channel.id)


def _ended(before: Interaction, after: Interaction) -> list[Attempt]:
    """Attempts that this change ended."""
    live = {each.id for each in before.attempts if each.ended_at is None}
    return [each for each in after.attempts if each.ended_at and each.id in live]
