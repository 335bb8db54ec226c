"""Draws docs/lifecycle.md from what `decide` does: `python -m tests.lifecycle.diagram` writes its generated parts.

Counterpart: `explore`, which walks the states. A test fails when the document is stale.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from routing.core.events import DigitPressed, LegAnswered, LegGone, LegRinging, LineDied, TimeReached
from routing.core.interaction import Interaction, Stage, Status
from routing.core.lifecycle.change import Decision
from tests.lifecycle.explore import QUEUE, Move, arrival, every_move, moves

DOCUMENT = Path(__file__).parents[2] / "docs" / "lifecycle.md"

Place = tuple[Status, Stage | None]


@cache
def _walked() -> tuple[Move, ...]:
    """Every move of every variant."""
    return tuple(move for variant in _variants() for move in variant)


def _variants() -> Iterator[Iterable[Move]]:
    """The settings, and the withheld number, that lead to moves of their own."""
    yield every_move()
    yield moves(number="anonymous")
    yield moves(QUEUE.model_copy(update={"dial": QUEUE.dial.model_copy(update={"order": "agent_first"})}))
    yield moves(QUEUE.model_copy(update={"offer": QUEUE.offer.model_copy(update={"accept_mode": "auto"})}))
    yield moves(QUEUE.model_copy(update={"callback": QUEUE.callback.model_copy(update={"on_hangup": "abandon"})}))


@dataclass(frozen=True, slots=True)
class Step:
    """One move that changed something. `cause` is the event, with the leg's role or what was due in parentheses."""

    start: Place
    cause: str
    end: Place
    effects: frozenset[str]
    subtypes: frozenset[str]


@cache
def steps() -> tuple[Step, ...]:
    """Every move of every variant that leads somewhere or does something, in the order a life is lived."""
    found = [_step(move, move.decision) for move in _walked() if move.decision and _tells(move)]
    return tuple(sorted(set(found), key=_order))


def _tells(move: Move) -> bool:
    decision = move.decision
    return bool(decision and not decision.ignored and (decision.effects or decision.interaction != move.before))


def _step(move: Move, decision: Decision) -> Step:
    after = decision.interaction
    effects = frozenset(type(each).__name__ for each in decision.effects)
    return Step(_place(move.before), _cause(move), _place(after), effects, frozenset({move.before.subtype}))


def _place(it: Interaction) -> Place:
    return it.status, it.stage


def _cause(move: Move) -> str:
    name = type(move.event).__name__
    match move.event:
        case DigitPressed(digit=digit):
            return f"{name}({digit})"
        case LegGone(leg=leg) | LineDied(leg=leg) | LegRinging(leg=leg) | LegAnswered(leg=leg):
            found = move.before.leg_with(leg)
            return f"{name}({found.role})" if found else name
        case TimeReached():
            due = sorted(kind for kind, at in move.before.deadlines.items() if at == move.before.wake_at)
            return f"{name}({', '.join(due)})"
        case _:
            return name


def _order(step: Step) -> tuple[object, ...]:
    return (*_rank(step.start), step.cause, *_rank(step.end), sorted(step.effects), sorted(step.subtypes))


def _rank(place: Place) -> tuple[int, int]:
    status, stage = place
    return list(Status).index(status), list(Stage).index(stage) + 1 if stage else 0


# The diagram: statuses only


def diagram(found: Iterable[Step]) -> str:
    """A mermaid state diagram: every change of status, labelled with what causes it."""
    causes: dict[tuple[Status, Status], set[str]] = defaultdict(set)
    for step in found:
        if step.start[0] is not step.end[0]:
            causes[step.start[0], step.end[0]].add(step.cause)
    edges = [f"    {start} --> {end}: {_label(names)}" for (start, end), names in causes.items()]
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> open: CallerArrived",
            *edges,
            "    closed --> [*]",
            "```",
        ]
    )


def _label(causes: set[str]) -> str:
    return "<br/>".join(_gathered(causes))


def _gathered(causes: Iterable[str]) -> list[str]:
    """`LegGone(agent)` and `LegGone(caller)` as one: `LegGone(agent, caller)`."""
    together: dict[str, set[str]] = defaultdict(set)
    for cause in causes:
        name, _, rest = cause.partition("(")
        together[name] |= {rest.rstrip(")")} - {""}
    return [f"{name}({', '.join(sorted(of))})" if of else name for name, of in sorted(together.items())]


# The table: every move


def table(found: Iterable[Step]) -> str:
    """Every move. Effects in parentheses come with some of the moves of a row only."""
    rows: dict[tuple[Place, str, Place], list[Step]] = defaultdict(list)
    for step in found:
        rows[step.start, _kind(step.cause), step.end].append(step)
    lines = [_row(start, end, same) for (start, _, end), same in rows.items()]
    return "\n".join([*_HEAD, _arrival(), *lines])


_HEAD = ("| in | what happens | leads to | what is done | of |", "|---|---|---|---|---|")


def _arrival() -> str:
    first = arrival()
    effects = ", ".join(sorted(type(each).__name__ for each in first.effects))
    return f"| – | `CallerArrived` | {_name(_place(first.interaction))} | {effects} | {first.interaction.subtype} |"


def _kind(cause: str) -> str:
    """What shares a row: whatever deadline is due does something of its own, whichever key is pressed does not."""
    return cause if cause.startswith("TimeReached") else cause.partition("(")[0]


def _row(start: Place, end: Place, same: list[Step]) -> str:
    causes = ", ".join(f"`{cause}`" for cause in _gathered({each.cause for each in same}))
    subtypes = ", ".join(sorted(frozenset[str]().union(*(each.subtypes for each in same))))
    target = "same" if start == end else _name(end)
    return f"| {_name(start)} | {causes} | {target} | {_effects(same)} | {subtypes} |"


def _effects(same: list[Step]) -> str:
    sets = [each.effects for each in same]
    always, ever = frozenset.intersection(*sets), frozenset[str]().union(*sets)
    return ", ".join([*sorted(always), *(f"({each})" for each in sorted(ever - always))]) or "–"


def _name(place: Place) -> str:
    status, stage = place
    return f"{status} / {stage}" if stage else str(status)


# What leads nowhere


def nothing_done() -> str:
    """Of every place, what is ignored there and what a person is denied; in parentheses what only sometimes is."""
    what: dict[Place, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for move in _walked():
        what[_place(move.before)][type(move.event).__name__].add(_fate(move))
    rows = [_fates(place, what[place]) for place in sorted(what, key=_rank)]
    return "\n".join(["| in | ignored | denied |", "|---|---|---|", *rows])


DONE, IGNORED = "done", "ignored"


def _fate(move: Move) -> str:
    """`DONE`, `IGNORED`, or the code a person is told."""
    if move.refusal:
        return move.refusal.code
    return DONE if _tells(move) else IGNORED


def _fates(place: Place, events: Mapping[str, set[str]]) -> str:
    ignored = [_marked(name, fates - {IGNORED}) for name, fates in events.items() if IGNORED in fates]
    denied = defaultdict(list)
    for name, fates in events.items():
        for code in sorted(fates - {DONE, IGNORED}):
            denied[code].append(_marked(name, fates & {DONE, IGNORED}))
    codes = "; ".join(f"`{code}`: {_listed(names)}" for code, names in sorted(denied.items()))
    return f"| {_name(place)} | {_listed(ignored)} | {codes or '–'} |"


def _marked(name: str, otherwise: set[str]) -> str:
    return f"({name})" if otherwise else name


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names, key=lambda each: each.strip("()"))) or "–"


# The document

PARTS: Mapping[str, Callable[[], str]] = {
    "diagram": lambda: diagram(steps()),
    "moves": lambda: table(steps()),
    "nothing done": nothing_done,
}


def filled(document: str) -> str:
    """The document with its generated parts made anew. Raises ValueError when the marks of one are missing."""
    for name, draw in PARTS.items():
        document = _replaced(document, f"<!-- generated: {name} -->", draw(), "<!-- end -->")
    return document


def _replaced(document: str, begin: str, text: str, end: str) -> str:
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    done, times = re.subn(pattern, lambda _: f"{begin}\n{text}\n{end}", document, flags=re.DOTALL)
    if times != 1:
        raise ValueError(f"{begin} … {end} has to be there once, not {times} times")
    return done


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
