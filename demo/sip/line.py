"""What a number, or an agent's phone, has seen of incoming calls and does with them."""

from __future__ import annotations

from dataclasses import dataclass

from demo.sip.audible import SOON
from demo.sip.incoming import IncomingCall
from demo.sip.policy import Policy
from demo.sip.trace import ladder
from demo.sip.waiting import Changes, deadline


@dataclass(frozen=True)
class InviteSeen:
    """One new call; retransmissions and re-INVITEs are none."""

    at: float
    """time.monotonic() of the INVITE's arrival in the kernel."""
    call_id: str
    from_user: str
    to_user: str
    call: IncomingCall


class Line:
    """`policy` and `tone` (Hz, played once media flows) hold for calls that come after they were set."""

    def __init__(self, name: str, policy: Policy, tone: int | None) -> None:
        self.name, self.policy, self.tone = name, policy, tone
        self.invites: list[InviteSeen] = []
        """Distinct calls since the start, in order; their number is what "called exactly once" means."""
        self._taken = 0
        self._changes = Changes()

    @property
    def calls(self) -> list[IncomingCall]:
        return [seen.call for seen in self.invites]

    async def incoming(self, within: float = SOON) -> IncomingCall:
        """The oldest call that nobody was given yet, whatever the policy does with it."""

        def explain() -> str:
            return f"{self.name} was not called again; {len(self.invites)} calls so far\n{self._last_ladder()}"

        async with deadline(within, explain):
            return await self._changes.until(self._next)

    async def called(self, times: int, within: float = SOON) -> None:
        """Until it was called so many times since the start."""
        async with deadline(within, lambda: f"{self.name} called {len(self.invites)} times, not {times}"):
            await self._changes.until(lambda: len(self.invites) >= times or None)

    def take(self, call: IncomingCall) -> None:
        seen = InviteSeen(call.invited_at, call.call_id, call.from_user, call.to_user, call)
        self.invites.append(seen)
        self.policy.begin(call)
        self._changes.notify()

    def _next(self) -> IncomingCall | None:
        if self._taken == len(self.invites):
            return None
        self._taken += 1
        return self.invites[self._taken - 1].call

    def _last_ladder(self) -> str:
        return ladder(self.invites[-1].call.messages) if self.invites else ""
