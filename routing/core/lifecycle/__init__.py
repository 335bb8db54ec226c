"""The life of an interaction, pure: `decide(interaction, context, event)` tells what becomes of it.

Every rule about status is in this package. `decide` has the tables; it is the top.
- What happens, one file for each status: `open`, `bot` (what is asked: `dialogues`; what a menu's keys lead to:
  `actions`), `offered`, `calling` (connected), `after_call` (wrap-up), `scheduled`. A life begins with `arriving` or
  `requested`.
- What happens whatever the status: `restart` (contact with Asterisk is back), `blocked` (a number rule said no),
  `operations` (what supervisors and owners do), `forced` (what supervisors do to any call and any agent).
- What is done then, which knows no events: `asking`, `line`, `workflow`, `ringing`, `connecting`, `call_over`,
  `closing`.
- `change` collects the decision; `denied` is what nobody can do just now.
docs/lifecycle.md is drawn from it.
"""

from routing.core.lifecycle.arriving import arrive
from routing.core.lifecycle.change import Assigned, Change, Continued, Decision, NotReady, Released
from routing.core.lifecycle.decide import decide
from routing.core.lifecycle.open import needs_situation
from routing.core.lifecycle.requested import request

__all__ = [
    "Assigned",
    "Change",
    "Continued",
    "Decision",
    "NotReady",
    "Released",
    "arrive",
    "decide",
    "needs_situation",
    "request",
]
