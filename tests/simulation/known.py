"""Violations whose cause is known and open: docs/reliability.md, "Known races".

Each is told from all others by what led to it, not by its seed; whatever else breaks the same invariant still fails.
"""

from tests.simulation.auditor import Auditor
from tests.simulation.postgres import Postgres
from tests.simulation.world import Violation

MOST = 0.005
"""How many of the seeds may end so. More is something new."""


def known(violation: Violation, auditor: Auditor, postgres: Postgres) -> str | None:
    """Its name there, None for one that is not known."""
    if violation.invariant != "A3":
        return None
    if violation.about & postgres.made_late:
        return "a row made after it was given up"
    if any(auditor.made_again(leg) for leg in violation.about):
        return "a phone rung again under the same id"
    return None
