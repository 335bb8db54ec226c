"""Options of the test run that belong to one folder; pytest wants them known before it looks there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.workers import gathered as gathering
from tests.workers import scheduling
from tests.workers.gathered import gathered

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


def pytest_configure(config: pytest.Config) -> None:
    for plugin in (gathering, scheduling):
        config.pluginmanager.register(plugin)


def _name(item: pytest.Item) -> str:
    return f"{_path(item)}::{item.name}"


def _path(item: pytest.Item) -> Path:
    return item.path.relative_to(item.config.rootpath / "tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The unit tests are quick. A share has every N-th test of a folder, so some of each file."""
    for item in items:
        if _folder(item) == "unit":
            item.add_marker("quick")
    for given in config.getoption("share"):
        folder, _, share = given.partition("=")
        which, of = map(int, share.split("/"))
        there = [item for item in items if _folder(item) == folder]
        others = set(there) - set(there[which - 1 :: of])
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]


def _folder(item: pytest.Item) -> str:
    return _path(item).parts[0]


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Rows that only `make faults` runs; in a whole run nothing else is left out."""
    for item in items:
        gathered(item.config).later.add(_name(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    gathered(item.config).passed.add(_name(item))


@pytest.fixture(scope="session")
def told(pytestconfig: pytest.Config) -> list[str]:
    """Lines to be printed when the run is over: figures."""
    return gathered(pytestconfig).lines
