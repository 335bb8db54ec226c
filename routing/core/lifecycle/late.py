"""A decision that was stored at once and known to be only later: what it gave so many seconds begins when it is acted
upon. Counterpart: `routing.engine.deciding`."""

from datetime import timedelta

from routing.core.interaction import Deadline, Interaction

_NAMED = frozenset({Deadline.DUE, Deadline.EXPIRY})
"""Moments that were named to people."""


def begun_late(before: Interaction, after: Interaction, by: timedelta) -> Interaction:
    """`after`, with what `before` did not have yet put off: it counts from now, as the effects come only now."""
    new = {
        kind: at for kind, at in after.deadlines.items() if before.deadlines.get(kind) != at and kind not in _NAMED
    }
    return after.changed(deadlines={**after.deadlines, **{kind: at + by for kind, at in new.items()}})
