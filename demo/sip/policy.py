"""What a simulated phone does with a call by itself. `ring()`, `answer(after=2)`, `reject(486)` …"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from demo.sip.incoming import IncomingCall


@dataclass(frozen=True)
class Policy:
    provisional: int | None = 180
    """180, 183 (with early media), or nothing but 100."""
    final: int | None = None
    """200 answers, others refuse; None leaves it to whoever holds the call, or rings for ever."""
    after: float = 0.0
    """Seconds between the INVITE and the final response."""
    crosses_cancel: bool = False
    """A CANCEL is met by a 200 that was already under way."""
    replies: bool = True
    """False: not one packet, as a phone without power."""

    def begin(self, call: IncomingCall) -> None:
        if not self.replies:
            return
        call.crosses_cancel = self.crosses_cancel
        if self.final is None or self.after > 0:
            self._announce(call)
        if self.final is not None and self.after > 0:
            call.next_step = asyncio.get_running_loop().call_later(self.after, self._conclude, call)
        else:
            self._conclude(call)

    def _announce(self, call: IncomingCall) -> None:
        match self.provisional:
            case None:
                call.trying()
            case 183:
                call.progress()
            case _:
                call.ring()

    def _conclude(self, call: IncomingCall) -> None:
        if call.end is not None or call.answered_at is not None or self.final is None:
            return
        if self.final == 200:
            call.answer()
        else:
            call.reject(self.final)


def ring() -> Policy:
    """180, then whatever the test does with `incoming()`."""
    return Policy()


def manual() -> Policy:
    """Only 100; ringing is left to the test too. Never touched, it is a phone that never sends 180."""
    return Policy(provisional=None)


def progress() -> Policy:
    """183 with early media and nothing else."""
    return Policy(provisional=183)


def answer(after: float = 0.0, *, provisional: int | None = 180) -> Policy:
    return Policy(provisional, 200, after)


def reject(status: int, after: float = 0.0) -> Policy:
    return Policy(final=status, after=after)


def cross() -> Policy:
    """Rings; answers at the moment a CANCEL arrives."""
    return Policy(crosses_cancel=True)


def dead() -> Policy:
    """Not one packet in return."""
    return Policy(replies=False)
