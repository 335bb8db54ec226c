"""The tests that docs/features.md names."""

import re
from collections.abc import Iterable
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "features.md"


def named() -> set[str]:
    """As `unit/agents/test_matching.py::test_nobody_is_overtaken…`."""
    return set(re.findall(r"`([a-z_/]+/test_\w+\.py::test_\w+)`", DOCUMENT.read_text(encoding="utf-8")))


def not_run(names: set[str], passed: Iterable[str]) -> set[str]:
    """Those of which nothing passed; with parameters, one of them is enough."""
    return names - {each.split("[")[0] for each in passed}
