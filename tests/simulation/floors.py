"""How much 1,000 seeds have to exercise: a batch in which too little happens proves nothing, and fails.

Each floor is about half of what is reached. `short` and `told` scale them to the seeds there were.
"""

from collections import Counter
from collections.abc import Iterator

FLOORS = {
    "in all": {
        "commits": 28000, "commands": 34000, "faults": 2100, "callers gone": 2000, "line converted": 570,
        "promises": 150, "agents invited": 3200, "customers invited": 780, "talks": 1200,
    },
    "caused by": {
        "event AgentReleased": 67, "event CallEnded": 130, "event CallStopped": 110,
        "event CallbackRequested": 160, "event CallerArrived": 2100,
        "event CallerReturned": 1, "event Cancelled": 34, "event DigitPressed": 1500, "event Edited": 31,
        "event LegAnswered": 1800, "event LineDied": 340,
        "event LegGone": 2600, "event LegRinging": 3500, "event NoteAdded": 130, "event OfferAccepted": 550,
        "event OfferRejected": 270, "event OfferWithdrawn": 62, "event Offered": 2900, "event PickedUp": 320,
        "event Reassigned": 45, "event Redialled": 22, "event Requeued": 70, "event Rescheduled": 33,
        "event PromptFinished": 3200, "event ServiceRestarted": 670, "event Settled": 7, "event TimeReached": 5500,
        "event WorkDone": 950,
        "line callback_duplicate": 90, "line number_refused": 42,  # DuplicateFound and NumberRefused
    },
    "effects": {
        "effect Answer": 2600, "effect DialCustomer": 780, "effect HangUp": 3800, "effect StartMusic": 6100,
        "effect AddToBridge": 1200, "effect DestroyBridge": 1100, "effect RingAgent": 3300,
        "effect PlayRingback": 740, "effect PlayPrompt": 4700, "effect StopPrompt": 920,
        "told refuse": 45, "told go on in the dialplan": 200,  # Refuse and SendBack, which no decision stands behind
    },
    "faults": {
        "fault asterisk crash": 52, "fault asterisk cut": 55, "fault asterisk slow": 110,
        "fault commits unconfirmed": 150, "fault events in disorder": 120, "fault kill": 230, "fault pause": 270,
        "fault phone lost": 44, "fault postgres cut": 160, "fault postgres frozen": 42, "fault postgres slow": 130,
        "fault postgres stopped": 48, "fault prompts odd": 87, "fault requests lost": 51, "fault row locked": 42,
        "fault rival": 150, "fault stop": 170, "fault websocket cut": 160, "fault websocket half open": 56,
    },
    "lived through": {
        "lived answered": 3700, "lived asked for a callback": 830, "lived answered while it stood still": 20,
        "lived asked for a callback while it stood still": 12, "changes told": 17000, "connects": 1200,
    },
    "runs": {"run long": 55, "run crowded": 48},
    "ended as": {
        "closed abandoned": 460, "closed blocked": 13, "closed ended_by_operator": 87,
        "closed cancelled_by_operator": 34, "closed error": 180,
        "closed expired": 140, "closed failed_max_attempts": 150, "closed handled": 980, "closed overflow:hangup": 83,
        "closed short_abandon": 160,
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
    return name if kind in ("event", "effect", "fault", "closed", "line", "told", "lived", "run") else figure
