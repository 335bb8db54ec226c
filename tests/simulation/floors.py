"""How much 1,000 seeds have to exercise: a batch in which too little happens proves nothing, and fails.

Each floor is about half of what is reached. `short` and `told` scale them to the seeds there were.
"""

from collections import Counter
from collections.abc import Iterator

FLOORS = {
    "in all": {
        "commits": 24000, "commands": 10000, "faults": 2000, "callers gone": 1700, "line converted": 480,
        "promises": 130, "agents invited": 2600, "customers invited": 590, "talks": 970,
    },
    "caused by": {
        "event AgentReleased": 50, "event CallEnded": 85, "event CallStopped": 100,
        "event CallbackRequested": 110, "event CallerArrived": 1600,
        "event CallerReturned": 16, "event Cancelled": 35, "event DigitPressed": 1300, "event Edited": 34,
        "event LegAnswered": 1400, "event LineDied": 150,
        "event LegGone": 2400, "event LegRinging": 2800, "event NoteAdded": 120, "event OfferAccepted": 440,
        "event OfferRejected": 230, "event OfferWithdrawn": 50, "event Offered": 2300, "event PickedUp": 260,
        "event Reassigned": 40, "event Redialled": 15, "event Requeued": 60, "event Rescheduled": 25,
        "event SayFinished": 2900, "event ServiceRestarted": 560, "event Settled": 6, "event TimeReached": 5000,
        "event WorkDone": 800,
        "line callback_duplicate": 110, "line number_refused": 20,  # DuplicateFound and NumberRefused
    },
    "effects": {
        "effect Answer": 2200, "effect DialCustomer": 590, "effect HangUp": 2800, "effect HoldMusic": 5400,
        "effect Join": 970, "effect Part": 900, "effect RingAgent": 2700, "effect RingTone": 550, "effect Say": 4300,
        "effect StopSaying": 930,
        "told refuse": 20, "told go on in the dialplan": 50,  # Refuse and SendBack, which no decision stands behind
    },
    "faults": {
        "fault asterisk crash": 55, "fault asterisk cut": 50, "fault asterisk slow": 140,
        "fault commits unconfirmed": 150, "fault events in disorder": 130, "fault kill": 220, "fault pause": 280,
        "fault phone lost": 45, "fault postgres cut": 160, "fault postgres frozen": 55, "fault postgres slow": 125,
        "fault postgres stopped": 55, "fault prompts odd": 70, "fault requests lost": 50, "fault rival": 160,
        "fault stop": 150, "fault websocket cut": 170, "fault websocket half open": 40,
    },
    "ended as": {
        "closed abandoned": 380, "closed blocked": 8, "closed ended_by_operator": 75,
        "closed cancelled_by_operator": 35, "closed error": 35,
        "closed expired": 90, "closed failed_max_attempts": 130, "closed handled": 900, "closed overflow:hangup": 60,
        "closed short_abandon": 190,
    },
}  # fmt: skip
FLOOR = {figure: floor for each in FLOORS.values() for figure, floor in each.items()}


def floor(figure: str, seeds: int) -> int:
    """In fewer seeds half as many for each: of what is rare there may be none by chance."""
    return FLOOR[figure] * seeds // (1000 if seeds >= 1000 else 2000)


def short(figures: Counter[str], seeds: int) -> list[str]:
    """What did not come about often enough."""
    return [
        f"{figure}: {figures[figure]}, at least {floor(figure, seeds)}"
        for figure in FLOOR
        if figures[figure] < floor(figure, seeds)
    ]


def told(figures: Counter[str], seeds: int) -> Iterator[str]:
    """What was reached and, in brackets, its floor."""
    for group, floors in FLOORS.items():
        reached = (f"{_short(each)} {figures[each]} ({floor(each, seeds)})" for each in floors)
        yield f"  {group}: {', '.join(reached)}"


def _short(figure: str) -> str:
    kind, _, name = figure.partition(" ")
    return name if kind in ("event", "effect", "fault", "closed", "line", "told") else figure
