"""Medians, p99 and ratios of samples in seconds, told in milliseconds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Milliseconds."""

    name: str
    median: float
    p99: float
    count: int


def figure(name: str, seconds: Sequence[float]) -> Figure:
    """p99 by nearest rank."""
    ranked = sorted(1000 * each for each in seconds)
    return Figure(name, statistics.median(ranked), ranked[math.ceil(0.99 * len(ranked)) - 1], len(ranked))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown; the columns after the first are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
