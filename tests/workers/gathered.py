"""What the tests tell of themselves until the run is over, and what is made of it then.

Nothing else has to know whether there are workers (pytest-xdist). Without, one process gathers and judges. With them
each worker hands over what it has gathered when it ends, and the controller judges the sum.
"""

import json
import pickle
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import features
from tests.faults import floors
from tests.faults.figures import SLACK, Figures


@dataclass
class Gathered:
    """`passed` and `later` (left out on purpose) are names of tests; `reached` is what the fault rows have seen."""

    figures: Figures
    lines: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    reached: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Gathered") -> None:
        self.figures.add(other.figures)
        self.lines += other.lines
        self.passed |= other.passed
        self.later |= other.later
        self.reached.update(other.reached)


_GATHERED = pytest.StashKey[Gathered]()


def gathered(config: pytest.Config) -> Gathered:
    return config.stash[_GATHERED]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_GATHERED] = Gathered(Figures(1.0 if config.getoption("--faults") == "full" else SLACK))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended. One that crashed has handed over nothing; its test failed."""
    handed_over = getattr(node, "workeroutput", {})
    if "gathered" in handed_over:
        gathered(node.config).add(pickle.loads(handed_over["gathered"]))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that passed has failed nevertheless when it has not shown what it is to show."""
    config, it = session.config, gathered(session.config)
    if hasattr(config, "workeroutput"):
        config.workeroutput["gathered"] = pickle.dumps(it)
        return
    if all_rows := floors.are_for(config) and it.reached:
        it.lines.append(floors.told(it.reached))
    if exitstatus == pytest.ExitCode.OK:
        lacking = [*_not_shown(config, it), *(floors.lacking(it.reached) if all_rows else [])]
        it.lines += lacking
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if lacking else exitstatus


def _not_shown(config: pytest.Config, it: Gathered) -> list[str]:
    """After a whole run every feature of docs/features.md was shown by its test."""
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if not whole or option.keyword or option.markexpr or option.collectonly:
        return []
    missing = features.not_run(features.named(), it.passed | it.later)
    return [f"docs/features.md names tests that did not run: {', '.join(sorted(missing))}"] if missing else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    it = gathered(config)
    if it.figures:
        _show(it.figures, terminalreporter)
        if path := config.getoption("--figures-file"):
            it.figures.write(Path(path))
    for line in it.lines:
        terminalreporter.write_line(line)
    if config.getoption("share"):
        passed = Counter(name.partition("/")[0] for name in it.passed)
        terminalreporter.write_line(f"passed by folder: {json.dumps(passed)}")


def _show(figures: Figures, terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("faults")
    for line in figures.lines():
        terminalreporter.write_line(line)
