"""Many runs, in two processes beside each other; and one planted bug until it is caught."""

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation import floors
from tests.simulation.story import Report, run

WORKERS = 2
CHUNK = 25
MOST_REPORTS = 3


@dataclass
class Batch:
    """What all the runs came to together. `failed` are the first few that broke an invariant."""

    seeds: int = 0
    steps: int = 0
    seconds: float = 1.0
    failed: list[Report] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return "\n".join([
            f"simulation: {self.seeds} seeds, {self.steps} steps, {self.seeds / self.seconds:.0f} seeds/s;"
            " reached (and the floor):",
            *floors.told(self.figures, self.seeds),
        ])  # fmt: skip


def workers() -> ProcessPoolExecutor:
    """Processes of their own: a run has the clock, the store's functions and the log to itself."""
    return ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet)


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def live_through(first: int, seeds: int) -> Batch:
    """The seeds from `first` on. Ends early after some failures."""
    batch, started = Batch(), time.perf_counter()
    with workers() as pool:
        for reports in pool.map(_chunk, _chunks(first, seeds)):
            for report in reports:
                _add(batch, report)
            if len(batch.failed) >= MOST_REPORTS:
                pool.shutdown(cancel_futures=True)
                break
    batch.seconds = time.perf_counter() - started
    return batch


def _chunks(first: int, seeds: int) -> Iterator[range]:
    for start in range(first, first + seeds, CHUNK):
        yield range(start, min(start + CHUNK, first + seeds))


def _chunk(seeds: range) -> list[Report]:
    reports = [run(seed) for seed in seeds]
    for report in reports:
        if report.violation is None:
            report.trace = []  # not worth being sent
    return reports


def _add(batch: Batch, report: Report) -> None:
    batch.seeds += 1
    batch.steps += report.steps
    batch.figures += report.figures
    if report.violation and len(batch.failed) < MOST_REPORTS:
        batch.failed.append(report)


def first_catch(mutant: str, most: int) -> Report | None:
    """The first run that notices this planted bug; None when all of them pass."""
    from tests.simulation.mutants import MUTANTS

    with MUTANTS[mutant].plant():
        for seed in range(1, most + 1):
            if (report := run(seed)).violation:
                report.trace = []
                return report
    return None
