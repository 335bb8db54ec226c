"""Says what was measured, and keeps it in RESULTS.md."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import measures, parts
from bench.figures import Figure, figure, table
from bench.measures import Measures
from demo.stage import Stage
from routing.local.install import asterisk_package

LIMIT, AIM = 2.0, 1.3
RESULTS = Path(__file__).with_name("RESULTS.md")

_NAMES = {
    measures.ACCEPT: "**A. Accept by API, phone ringing: request sent → customer's INVITE**",
    measures.ACCEPT_FLOOR: "floor of A: INSERT committed, then create, dial",
    measures.ACCEPT_HTTP: "the same behind a bare HTTP request",
    measures.ANSWER: "**B. agent's 200 OK sent → customer's INVITE**",
    measures.ANSWER_FLOOR: "floor of B: the answer's ARI event, INSERT, create, dial",
    measures.INBOUND: "**C. inbound INVITE sent → 200 OK**, the caller's row committed before",
    measures.INBOUND_PLAIN: "floor of C: `Answer()` in the dialplan",
    measures.INBOUND_BARE: "bare ARI application: INSERT, answer",
}
_COMPARED = ((measures.ACCEPT, measures.ACCEPT_FLOOR), (measures.ANSWER, measures.ANSWER_FLOOR))
_FLOOR_OF = {
    **dict(_COMPARED),
    measures.ACCEPT_HTTP: measures.ACCEPT_FLOOR,
    measures.INBOUND: measures.INBOUND_PLAIN,
    measures.INBOUND_BARE: measures.INBOUND_PLAIN,
}


async def tell(stage: Stage, taken: Measures) -> int:
    """Prints and keeps all figures. The exit code: 1 when A or B is above the limit."""
    figures = {name: figure(name, taken.samples[name]) for name in _NAMES}
    ratios = {name: figures[name].median / figures[floor].median for name, floor in _FLOOR_OF.items()}
    above = [name for name, _ in _COMPARED if ratios[name] > LIMIT]
    text = "\n\n".join(
        [
            "# Figures",
            "Written by `make bench`: every sample of the service was taken beside one of its floor, in turns, in one"
            f" run. Milliseconds at the far end, by the kernel's clock. Limit of A and B: {LIMIT:g} times their floor"
            f" at the median; aim: {AIM:g}.",
            await _machine(stage),
            _all_figures(figures, ratios),
            "## Where the time goes",
            _service_parts(stage, taken),
            _floor_parts(taken),
            "Medians of each part, so they do not add up exactly.",
        ]
    )
    RESULTS.write_text(f"{text}\n")
    print(text)
    print(f"\n{'above' if above else 'within'} the limit")
    return 1 if above else 0


async def _machine(stage: Stage) -> str:
    postgres = (await stage.sql.fetchval("SHOW server_version")).split()[0]
    asterisk = asterisk_package.find_or_install(print).version
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; Asterisk {asterisk},"
        f" PostgreSQL {postgres} (fsync, synchronous_commit), Python {platform.python_version()}."
        " Service, Asterisk, Postgres and all phones share the machine."
    )


def _all_figures(figures: Mapping[str, Figure], ratios: Mapping[str, float]) -> str:
    rows = [
        [_NAMES[name], *_numbers(each), f"{ratios[name]:.2f}" if name in ratios else ""]
        for name, each in figures.items()
    ]
    return table(["", "samples", "median", "p99", "× floor"], rows)


def _numbers(each: Figure) -> Sequence[str]:
    return str(each.count), f"{each.median:.2f}", f"{each.p99:.2f}"


def _service_parts(stage: Stage, taken: Measures) -> str:
    accept = parts.of_service(stage.log, taken.windows[measures.ACCEPT])
    answer = parts.of_service(stage.log, taken.windows[measures.ANSWER])
    rows = [[name, _median(accept[name]), _median(answer[name])] for name in accept]
    return table(["the service", "A", "B"], rows)


def _floor_parts(taken: Measures) -> str:
    found = parts.of_floor(taken.floor_stamps)
    return table(["the floor of A", "median"], [[name, _median(each)] for name, each in found.items()])


def _median(seconds: Sequence[float]) -> str:
    return f"{figure('', seconds).median:.2f}" if seconds else "–"
