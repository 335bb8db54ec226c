"""The interaction: one customer's matter with one queue, from the first ring to the last note.

A frozen picture of one row of `interactions` with its live legs and its attempts. `routing.core.lifecycle` decides
what becomes of it, `routing.store` keeps it. Times are aware datetimes (UTC), durations seconds.
"""

from routing.core.interaction.attempt import Attempt, Outcome
from routing.core.interaction.case import Case
from routing.core.interaction.hearing import MAIN, Hears, Prompt, Room, Sound
from routing.core.interaction.interaction import BRIDGE, Fields, Interaction, bridge_owner
from routing.core.interaction.leg import Leg, LegState, Role
from routing.core.interaction.place import Place
from routing.core.interaction.preferences import AgentPreferences
from routing.core.interaction.request import Origin, Request
from routing.core.interaction.status import IN_LINE, Deadline, Ended, Stage, Status, Subtype
from routing.core.interaction.waiting import Waiting

__all__ = [
    "BRIDGE",
    "IN_LINE",
    "MAIN",
    "AgentPreferences",
    "Attempt",
    "Case",
    "Deadline",
    "Ended",
    "Fields",
    "Hears",
    "Interaction",
    "Leg",
    "LegState",
    "Origin",
    "Outcome",
    "Place",
    "Prompt",
    "Request",
    "Role",
    "Room",
    "Sound",
    "Stage",
    "Status",
    "Subtype",
    "Waiting",
    "bridge_owner",
]
