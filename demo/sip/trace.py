"""Every SIP message of a socket, kept by call, shown as a ladder."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from demo.sip.message import Message, Request
from demo.sip.udp import Peer

_CALLS = 5000
_MESSAGES_PER_CALL = 100


@dataclass(frozen=True)
class Entry:
    """One datagram, retransmissions included."""

    at: float
    """time.monotonic(): arrival in the kernel, or the moment before sending."""
    sent: bool
    peer: Peer
    message: Message

    @property
    def summary(self) -> str:
        if isinstance(self.message, Request):
            return f"{self.message.method} {self.message.uri}"
        return f"{self.message.start_line.removeprefix('SIP/2.0 ')} ({self.message.cseq[1]})"


class Trace:
    """Bounded: the oldest calls are forgotten."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[Entry]] = OrderedDict()

    def add(self, entry: Entry) -> None:
        call_id = entry.message.call_id
        if call_id not in self._calls:
            self._calls[call_id] = deque(maxlen=_MESSAGES_PER_CALL)
            if len(self._calls) > _CALLS:
                self._calls.popitem(last=False)
        self._calls[call_id].append(entry)

    def of(self, call_id: str) -> list[Entry]:
        """In order of time: what came while we were busy has the earlier stamp."""
        return sorted(self._calls.get(call_id, ()), key=lambda entry: entry.at)

    def all(self) -> list[Entry]:
        return sorted((entry for call in self._calls.values() for entry in call), key=lambda entry: entry.at)


def ladder(entries: Iterable[Entry], *, full: bool = False) -> str:
    """One line a message, in seconds since the first; `full` adds their whole text."""
    lines, start = [], None
    for entry in entries:
        start = entry.at if start is None else start
        arrow = "──▶" if entry.sent else "◀──"
        lines.append(f"{entry.at - start:9.4f} {arrow} {entry.peer[0]}:{entry.peer[1]}  {entry.summary}")
        if full:
            text = entry.message.render().decode("utf-8", "replace").strip()
            lines += [f"{'':15}{line}" for line in text.splitlines()]
    return "\n".join(lines) if lines else "(no SIP message)"
