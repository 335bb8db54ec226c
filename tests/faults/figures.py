"""What the fault rows measured: collected while they run, printed as one table at the end of the session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SLACK = 4.0
"""How often a limit of time is allowed in `make test`, where whatever else the machine does is part of the figure."""

HEAD = ("row", "fault: figure", "runs", "p50 / p99 / max", "limit", "held")


@dataclass
class Figure:
    """`limit` is the most that is allowed; None where nothing is promised."""

    row: str
    what: str
    unit: str
    limit: float | None
    values: list[float] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return self.within(1.0)

    def within(self, slack: float) -> bool:
        """Counts are never given any slack."""
        allowed = slack if self.unit in ("s", "ms") else 1.0
        return self.limit is None or max(self.values) <= allowed * self.limit

    def cells(self) -> tuple[str, ...]:
        seen = sorted(self.values)
        told = [_number(_quantile(seen, q)) for q in (0.5, 0.99, 1.0)]
        spread = told[0] if len(set(told)) == 1 else " / ".join(told)
        limit = "-" if self.limit is None else f"<= {_number(self.limit)} {self.unit}".rstrip()
        held = "-" if self.limit is None else "yes" if self.held else "NO"
        return self.row, self.what, str(len(seen)), f"{spread} {self.unit}".rstrip(), limit, held


class Figures:
    """One for the whole session. The same row and figure noted again adds to what was noted before."""

    def __init__(self, slack: float) -> None:
        self._slack = slack
        self._figures: dict[tuple[str, str], Figure] = {}

    def note(
        self, row: str, what: str, values: float | Sequence[float], *, unit: str = "", limit: float | None = None
    ) -> None:
        """`row` as in the fault table (F16). Counts have no unit. Fails the test at once when the limit is not held,
        the figure being in the table all the same."""
        figure = self._figures.setdefault((row, what), Figure(row, what, unit, limit))
        figure.values.extend([values] if isinstance(values, int | float) else values)
        assert figure.values, f"{row}, {what}: nothing was measured"
        assert figure.within(self._slack), f"{row}, {what}: {max(figure.values):g} {unit}, limit {limit:g}"

    def add(self, others: "Figures") -> None:
        """What was noted in another process. Whatever did not hold its limit has failed its test there."""
        for key, other in others._figures.items():
            mine = self._figures.setdefault(key, Figure(other.row, other.what, other.unit, other.limit))
            mine.values.extend(other.values)

    def __bool__(self) -> bool:
        return bool(self._figures)

    def rows(self) -> list[tuple[str, ...]]:
        ordered = sorted(self._figures.values(), key=lambda each: (_number_of(each.row), each.row, each.what))
        return [each.cells() for each in ordered if each.values]

    def lines(self) -> list[str]:
        """For a terminal."""
        table = [HEAD, *self.rows()]
        widths = [max(len(row[i]) for row in table) for i in range(len(HEAD))]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]

    def write(self, path: Path) -> None:
        """As Markdown."""
        table = [HEAD, ("---",) * len(HEAD), *self.rows()]
        path.write_text("".join(f"| {' | '.join(row)} |\n" for row in table))


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"


def _number_of(row: str) -> int:
    """Rows that are no faults of the table (T38, AMI) come last."""
    return int(row[1:]) if row[0] == "F" else 1000
