"""How long a run may take, by the number of seeds."""

import pytest

SECONDS_A_SEED = 0.5
"""Wall-clock; on two idle cores it is a twentieth of that."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_seed: lives through all the seeds asked for")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("every_seed"):
            item.add_marker(pytest.mark.timeout(120 + SECONDS_A_SEED * config.getoption("seeds")))
