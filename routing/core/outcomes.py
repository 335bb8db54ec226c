"""What a final SIP status says about an attempt, or about an agent's phone. Pure.

Source: RFC 3261 section 21; the statuses carriers really send for a dead number are 404, 410, 484 and 604.
"""

from routing.core.interaction import Outcome

_BY_STATUS = {
    404: Outcome.INVALID,
    408: Outcome.NO_ANSWER,
    410: Outcome.INVALID,
    480: Outcome.NO_ANSWER,
    484: Outcome.INVALID,
    486: Outcome.BUSY,
    487: Outcome.NO_ANSWER,
    600: Outcome.BUSY,
    603: Outcome.REJECTED,
    604: Outcome.INVALID,
    607: Outcome.REJECTED,
    608: Outcome.REJECTED,
}

DECLINED = frozenset({486, 600, 603})
"""An agent's phone that says one of these was reachable: the agent said no."""


def unreachable(sip_cause: int | None, *, refused: bool) -> bool:
    """Whether an agent's phone that did not answer is to blame. Without a cause nobody knows, so nobody is."""
    return refused or (sip_cause is not None and sip_cause not in DECLINED)


def of_dial(sip_cause: int | None, *, refused: bool) -> Outcome:
    """The outcome of a dial that was never answered. `refused`: Asterisk itself would not place it."""
    if refused:
        return Outcome.NOT_DIALLED
    if sip_cause is None:
        return Outcome.UNKNOWN
    if sip_cause in _BY_STATUS:
        return _BY_STATUS[sip_cause]
    return Outcome.CONGESTION if sip_cause >= 500 else Outcome.ERROR
