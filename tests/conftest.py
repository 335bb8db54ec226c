"""Options of the test run that belong to one folder; pytest wants them known before it looks there."""

import pytest
from hypothesis import settings

# The same examples on every machine, however slow it is: a test that fails has found something.
settings.register_profile("ringback", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ringback")


def pytest_addoption(parser: pytest.Parser) -> None:
    faults = parser.getgroup("faults")
    faults.addoption("--faults", choices=("fast", "full"), default="fast", help="how often the fault rows repeat")
    faults.addoption("--figures-file", metavar="PATH", help="write the table of the fault rows there, as Markdown")
    simulation = parser.getgroup("simulation")
    simulation.addoption("--seeds", type=int, default=1000, help="how many seeds the simulation lives through")
    simulation.addoption("--seed", type=int, help="live through this one seed only, and print its trace")


TOLD = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[TOLD]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def told(pytestconfig: pytest.Config) -> list[str]:
    """Lines to be printed when the run is over: figures."""
    return pytestconfig.stash[TOLD]
