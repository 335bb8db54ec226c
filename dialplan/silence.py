"""Finds lines that died: a phone that lost its power or its network hangs up on nobody, it only falls silent.

Asterisk's own `rtp_timeout` will not do (decision 120): it measures by the wall clock, so that one set forward
ends every call at once, and it hangs up before anybody is told. Counterpart: `routing.core.lifecycle`, which says
what becomes of a `LineDied`.

Whatever comes from the far end shows that it lives: sound and comfort noise are counted by Asterisk, of RTCP it tells
over AMI. Nothing is expected of a leg that is not up or on hold. Where it is not known, nothing is concluded.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from dialplan import words
from dialplan.ari.client import AriClient
from dialplan.ari.errors import AriError
from routing.core.events import LineDied, NetworkEvent
from routing.core.interaction import Role

log = structlog.get_logger()

LOOKS = 6
"""In the time a line may be silent. A line that died is noticed between the last but one and the last of them."""
LONGEST = 5.0
"""Seconds between two looks, at most."""
AT_ONCE = 4
"""So many legs are looked at side by side: the calls' own requests go first."""
EARLY = 0.25
"""Share of the time between two looks by which one may come early."""
_HELD = "CHANNEL(rtp,hold)"


class Lines(Protocol):
    """The engine, as far as this needs it."""

    def lines(self) -> list[dict[str, Role]]: ...
    def hear(self, leg: str, event: NetworkEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class _Heard:
    """Until when a leg was heard, on the loop's clock, and how many packets had come by then; None: by its RTCP, so
    nobody counted."""

    at: float
    packets: int | None


class Silence:
    """Let one task await `watch`. `limits`: seconds by role, 0 for never. `informed`: whether RTCP is told of."""

    def __init__(
        self, ari: AriClient, engine: Lines, limits: Mapping[Role, float], informed: Callable[[], bool]
    ) -> None:
        self._ari = ari
        self._engine = engine
        self._limits = limits
        self._informed = informed
        self._pace = _pace(limits.values())
        self._heard: dict[str, _Heard] = {}
        self._reported: set[str] = set()
        self._warned = False

    def reported(self, leg: str) -> None:
        """RTCP came from the leg's far end."""
        self._reported.add(leg)

    async def watch(self) -> None:
        """For ever. The shortest limit sets the pace."""
        loop = asyncio.get_running_loop()
        while self._pace:
            next_look = loop.time() + self._pace
            await self.look()
            await asyncio.sleep(next_look - loop.time())

    async def look(self) -> None:
        """Once at every line."""
        calls = self._engine.lines() if await self._is_told() else []
        watched = {leg for call in calls for leg, role in call.items() if self._limits[role]}
        self._heard = {leg: heard for leg, heard in self._heard.items() if leg in watched}
        waiting, reported, self._reported = iter(watched), self._reported, set()
        await asyncio.gather(*(self._listen_to(waiting, reported) for _ in range(AT_ONCE)))
        now = asyncio.get_running_loop().time()
        silent = {leg: now - heard.at for leg, heard in self._heard.items()}
        for call in calls:
            for leg in dead_lines(call, silent, self._limits, self._pace):
                self._tell(leg, silent[leg])

    async def _is_told(self) -> bool:
        """Of RTCP. An Asterisk that runs since before an upgrade has the configuration of then, which let nobody hear
        of it: a phone that only listens would seem dead."""
        if not self._informed():
            return False
        try:
            told = await self._ari.asterisk.get_global_var(variable=words.TELLS_OF_RTCP)
        except AriError:
            return False
        if told.value != words.YES and not self._warned:
            log.warning("dead lines not noticed", mend="restart Asterisk: an earlier version configured it")
            self._warned = True
        return told.value == words.YES

    async def _listen_to(self, legs: Iterator[str], reported: set[str]) -> None:
        for leg in legs:
            try:
                await self._listen(leg, reported=leg in reported)
            except AriError as error:
                log.debug("line not looked at", leg=leg, error=str(error))
                self._heard.pop(leg, None)

    async def _listen(self, leg: str, *, reported: bool) -> None:
        """Most phones send RTCP, and Asterisk is not asked about them. Of who stopped, packets are counted first, and
        then compared."""
        before, now = self._heard.get(leg), asyncio.get_running_loop().time()
        packets = None if reported else (await self._ari.channels.rtpstatistics(leg)).rxcount
        if before and before.packets is None and not reported:
            self._heard[leg] = _Heard(before.at, packets)
        elif before is None or reported or before.packets != packets or await self._may_be_silent(leg):
            self._heard[leg] = _Heard(now, packets)

    async def _may_be_silent(self, leg: str) -> bool:
        """Asked of the few that say nothing."""
        channel = await self._ari.channels.get(leg)
        held = await self._ari.channels.get_channel_var(leg, variable=_HELD)
        return channel.state != "Up" or held.value == "1"

    def _tell(self, leg: str, seconds: float) -> None:
        """Once, though two rows may hold the leg for a moment. Should nothing come of it, it is told of again."""
        if self._heard.pop(leg, None):
            log.warning("line dead", leg=leg, silent=round(seconds, 3))
            self._engine.hear(leg, LineDied(leg))


def dead_lines(
    call: Mapping[str, Role], silent: Mapping[str, float], limits: Mapping[Role, float], pace: float
) -> list[str]:
    """Those of a call's legs that died, by the seconds they have been silent for.

    One more look would be over the limit. Two lines that die at once are not silent for equally long in our eyes:
    where one died, another that has been silent for half its limit died with it. The agent's comes first, so that the
    agent is not offered more calls.
    """
    parts = {leg: silent[leg] / limits[role] for leg, role in call.items() if leg in silent}
    if not any(part >= 1 - (1 + EARLY) * pace / limits[call[leg]] for leg, part in parts.items()):
        return []
    dead = [leg for leg, part in parts.items() if part >= 0.5]
    return sorted(dead, key=lambda leg: call[leg] is not Role.AGENT)


def _pace(limits: Iterable[float]) -> float:
    """Seconds between two looks, so that the shortest limit is held; 0 where there is none."""
    return min((min(LONGEST, limit / LOOKS) for limit in limits if limit), default=0.0)
