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
_HELD = "CHANNEL(rtp,hold)"


class Lines(Protocol):
    """The engine, as far as this needs it."""

    def lines(self) -> Mapping[str, Role]: ...
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
        """Once at every line. Agents' come first: of a talk whose both ends died the agent's is told of first, so
        that the agent is not offered more calls."""
        lines = self._engine.lines() if self._informed() else {}
        watched = {leg: role for leg, role in lines.items() if self._limits[role]}
        self._heard = {leg: heard for leg, heard in self._heard.items() if leg in watched}
        waiting, reported, self._reported = iter(watched), self._reported, set()
        await asyncio.gather(*(self._listen_to(waiting, reported) for _ in range(AT_ONCE)))
        for leg in sorted(watched, key=lambda leg: watched[leg] is not Role.AGENT):
            self._judge(leg, self._limits[watched[leg]])

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

    def _judge(self, leg: str, limit: float) -> None:
        heard, now = self._heard.get(leg), asyncio.get_running_loop().time()
        if heard and now - heard.at >= limit - self._pace:
            log.warning("line dead", leg=leg, silent=round(now - heard.at, 3))
            del self._heard[leg]  # should nothing come of it, it is told of again in a while
            self._engine.hear(leg, LineDied(leg))


def _pace(limits: Iterable[float]) -> float:
    """Seconds between two looks, so that the shortest limit is held; 0 where there is none."""
    return min((min(LONGEST, limit / LOOKS) for limit in limits if limit), default=0.0)
