"""Turns what Asterisk says into `routing.core.events`.
Counterpart: `dialplan.phones`, which tells Asterisk what to do."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import structlog

from dialplan import words
from dialplan.ari import models
from dialplan.ari.connection import AriConnection, Connected, Disconnected, Item, Snapshot
from dialplan.ari.errors import AriError
from routing.core.errors import Unavailable
from routing.core.events import (
    CallerArrived,
    CallerReturned,
    DigitPressed,
    LegAnswered,
    LegGone,
    LegRinging,
    NetworkEvent,
    NumberFormat,
    PromptFinished,
)
from routing.engine.engine import Engine
from routing.engine.phones import Alive, ChannelState
from routing.engine.recovery import recovery, sweeping
from routing.runtime import metrics

log = structlog.get_logger()

AGAIN = 0.2
"""Seconds until it is tried again to compare what Asterisk holds with the rows."""

LAST_WORDS = 0.05
"""Seconds for what was told before Asterisk was looked at: the look is another connection, and may be quicker."""

_OURS = re.compile(r"[0-9a-f]{32}")


def made_by_us(channel_id: str) -> bool:
    """Whether it is a leg we created: only we choose such ids."""
    return _OURS.fullmatch(channel_id) is not None


class Listener:
    """`on_contact` is called after each reconciliation, `on_started` for each channel of ours that is set up.
    `written`: how the trunk writes numbers."""

    def __init__(
        self,
        connection: AriConnection,
        engine: Engine,
        on_started: Callable[[str], None],
        on_contact: Callable[[], None],
        written: NumberFormat = NumberFormat.AUTO,
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._on_started = on_started
        self._on_contact = on_contact
        self._hung_up: set[str] = set()
        self._written = written
        self.ready = False

    async def run(self) -> None:
        """Until the connection ends for good."""
        async for item in self._connection:
            await self._take(item)

    async def sweep(self, sweeper: sweeping.Sweeper) -> None:
        """Look for ever whether Asterisk and we agree."""
        while True:
            await asyncio.sleep(sweeping.EVERY)
            try:
                if self.ready:
                    await sweeper.look(alive(await self._connection.snapshot(), self._written))
                else:
                    sweeper.forget()
            except (AriError, Unavailable) as error:
                log.info("not swept", error=str(error))

    async def _take(self, item: Item) -> None:
        match item:
            case Connected(snapshot):
                await self._reconcile(snapshot)
            case Disconnected():
                self.ready = False
                self._hung_up.clear()
            case models.StasisStart(args=args, channel=channel):
                self._entered(args, channel)
            case _:
                self._note(item)
                if news := event(item):
                    self._engine.hear(news[0], news[1])

    def _note(self, item: Item) -> None:
        """Prompts that failed, for whoever has to mend the recordings. What was played to somebody who hung up
        failed as well (measured), and the hang-up is told before."""
        match item:
            case models.ChannelHangupRequest(channel=channel):
                self._hung_up.add(channel.id)
            case models.ChannelDestroyed(channel=channel) | models.StasisEnd(channel=channel):
                self._hung_up.discard(channel.id)
            case models.PlaybackFinished(playback=playback) if playback.state == "failed":
                if leg_of(playback) not in self._hung_up:
                    metrics.PROMPTS_FAILED.inc()
                    log.error("prompt not played", media=playback.media_uri)

    async def _reconcile(self, snapshot: Snapshot) -> None:
        """Before any event that came since; again and again while Postgres is away. Each time Asterisk is looked at
        anew: a call that was made meanwhile is not missing."""
        while not await self._reconciled(snapshot):
            snapshot = await self._another_snapshot()
        self.ready = True
        self._on_contact()

    async def _reconciled(self, snapshot: Snapshot) -> bool:
        await asyncio.sleep(LAST_WORDS)
        try:
            await recovery.reconcile(self._engine, alive(snapshot, self._written, self._connection.waiting))
        except Unavailable:
            log.warning("not reconciled yet: Postgres does not answer")
            return False
        return True

    async def _another_snapshot(self) -> Snapshot:
        while True:
            await asyncio.sleep(AGAIN)
            try:
                return await self._connection.snapshot()
            except AriError as error:
                log.warning("not reconciled yet", error=str(error))

    def _entered(self, args: list[str], channel: models.Channel) -> None:
        if made_by_us(channel.id):
            self._on_started(channel.id)
            self._engine.end_orphan(channel.id)
        elif self._engine.knows(channel.id):
            self._engine.hear(channel.id, CallerReturned(channel.id))
        elif caller := arrival(args, channel, self._written):
            self._engine.arrive(caller)


def arrival(
    args: list[str], channel: models.Channel, written: NumberFormat = NumberFormat.AUTO
) -> CallerArrived | None:
    """The call the dialplan handed over, None when it is nothing of ours."""
    try:
        told = words.parse_arrival(args)
    except words.NotACall:
        log.warning("a channel entered that is no call", channel=channel.id)
        return None
    return CallerArrived(channel.id, told.dialled, told.caller, channel.caller.name, channel.state == "Up", written)


def event(item: Item) -> tuple[str, NetworkEvent] | None:
    """The leg it is about and the event it is, for all that concerns us."""
    match item:
        case models.ChannelDtmfReceived(channel=channel, digit=digit):
            return channel.id, DigitPressed(channel.id, digit)
        case models.PlaybackFinished(playback=playback):
            return (leg := leg_of(playback)), PromptFinished(leg, playback.id)
        case models.ChannelStateChange(channel=channel):
            return _state(channel.id, channel.state)
        case models.Dial(peer=peer, dialstatus=status):
            # A 183 is told by PROGRESS alone (measured); both mean that the far phone is being alerted.
            return (peer.id, LegRinging(peer.id)) if status in ("RINGING", "PROGRESS") else None
        case models.ChannelDestroyed(channel=channel, tech_cause=cause):
            return channel.id, LegGone(channel.id, cause or None)
        case models.StasisEnd(channel=channel) if not made_by_us(channel.id):
            # Channels that came from the dialplan are not ours to see destroyed (trap 5 in `dialplan.ari`).
            return channel.id, LegGone(channel.id)
        case _:
            return None


def news(items: Iterable[Item | None]) -> dict[str, tuple[NetworkEvent, ...]]:
    """All that these tell, by leg."""
    told: defaultdict[str, tuple[NetworkEvent, ...]] = defaultdict(tuple)
    for leg, it in filter(None, (event(item) for item in items if item)):
        told[leg] += (it,)
    return told


def leg_of(playback: models.Playback) -> str:
    return playback.target_uri.removeprefix("channel:")


def _state(channel: str, state: str) -> tuple[str, NetworkEvent] | None:
    match state:
        case "Ringing":
            return channel, LegRinging(channel)
        case "Up":
            return channel, LegAnswered(channel)
        case _:
            return None


def alive(
    snapshot: Snapshot, written: NumberFormat = NumberFormat.AUTO, waiting: Iterable[Item | None] = ()
) -> Alive:
    """What Asterisk holds: every channel, the callers inside our application, and our bridges; and what is still
    `waiting` to be told."""
    told = news(waiting)
    ended = {leg for leg, them in told.items() if any(isinstance(each, LegGone) for each in them)}
    inside = set(snapshot.application.channel_ids) - ended
    states = {"Up": ChannelState.UP, "Ringing": ChannelState.RINGING}
    channels = {each.id: states.get(each.state, ChannelState.DOWN) for each in snapshot.channels}
    callers = [
        caller
        for each in snapshot.channels
        if each.id in inside and not made_by_us(each.id) and (caller := _caller(each, written))
    ]
    ours = tuple(each for each in channels if made_by_us(each))
    bridges = tuple(bridge.id for bridge in snapshot.bridges)
    return Alive(channels, ours, tuple(callers), bridges, snapshot.started or None, told)


def _caller(channel: models.Channel, written: NumberFormat) -> CallerArrived | None:
    """A caller whose StasisStart we missed: the arguments stand in the channel's dialplan data."""
    app, *args = channel.dialplan.app_data.split(",")
    return arrival(args, channel, written) if app == words.APP else None
