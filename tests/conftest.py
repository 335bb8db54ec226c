"""Options of the test run that belong to one folder; pytest wants them known before it looks there."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.features import TESTS, named, not_run

# The same examples on every machine, however slow it is: a test that fails has found something.
settings.register_profile("ringback", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ringback")


def pytest_addoption(parser: pytest.Parser) -> None:
    faults = parser.getgroup("faults")
    faults.addoption("--faults", choices=("fast", "full"), default="fast", help="how often the fault rows repeat")
    faults.addoption("--rounds", type=int, metavar="N", help="how often the rows with many people repeat")
    faults.addoption("--figures-file", metavar="PATH", help="write the table of the fault rows there, as Markdown")
    faults.addoption("--stranger", type=float, metavar="SECONDS", help="how long the stranger tries")
    simulation = parser.getgroup("simulation")
    simulation.addoption("--seeds", type=int, default=1000, help="how many seeds the simulation lives through")
    simulation.addoption("--seed", type=int, help="live through this one seed only, and print its trace")
    odd = parser.getgroup("odd times")
    odd.addoption("--share", action="append", default=[], metavar="FOLDER=I/N", help="of it only this share")


TOLD = pytest.StashKey[list[str]]()
PASSED = pytest.StashKey[set[str]]()
LATER = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []
    config.stash[PASSED] = set()
    config.stash[LATER] = set()


def _name(item: pytest.Item) -> str:
    return f"{item.path.relative_to(TESTS)}::{item.name}"


QUICK = ("unit", "model")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every N-th test of a folder, so that a share has some of each file."""
    for item in items:
        if _folder(item) in QUICK:
            item.add_marker("quick")
    for given in config.getoption("share"):
        folder, _, share = given.partition("=")
        which, of = map(int, share.split("/"))
        there = [item for item in items if _folder(item) == folder]
        others = set(there) - set(there[which - 1 :: of])
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Rows that only `make faults` runs; in a whole run nothing else is left out."""
    for item in items:
        item.config.stash[LATER].add(_name(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    item.config.stash[PASSED].add(_name(item))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After a whole run every feature of docs/features.md was shown by its test."""
    config = session.config
    chosen = config.option.keyword or config.option.markexpr
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen
    if not whole or exitstatus or config.option.collectonly:
        return
    missing = not_run(named(), config.stash[PASSED] | config.stash[LATER])
    if missing:
        config.stash[TOLD].append(f"docs/features.md names tests that did not run: {', '.join(sorted(missing))}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[TOLD]:
        terminalreporter.write_line(line)
    if config.getoption("share"):
        passed = Counter(name.partition("/")[0] for name in config.stash[PASSED])
        terminalreporter.write_line(f"passed by folder: {json.dumps(passed)}")


@pytest.fixture(scope="session")
def told(pytestconfig: pytest.Config) -> list[str]:
    """Lines to be printed when the run is over: figures."""
    return pytestconfig.stash[TOLD]
