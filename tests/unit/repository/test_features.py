"""docs/features.md names tests that exist, and each feature once."""

import ast
from collections import Counter

import pytest

from tests.features import DOCUMENT, TESTS, named, not_run


def _written() -> set[str]:
    return {
        f"{path.relative_to(TESTS)}::{node.name}"
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_it_names_is_written() -> None:
    names = named()
    assert len(names) > 100
    assert names - _written() == set()


def test_no_row_stands_there_twice_or_without_a_test() -> None:
    rows = [line.split("|") for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [cells for cells in rows if cells[1].strip()]
    assert max(Counter(cells[1] for cells in rows).values()) == 1
    assert [cells[1] for cells in rows if "::" not in cells[-2]] == []


@pytest.mark.parametrize(
    ("ran", "missing"), [({"unit/test_a.py::test_b[2]"}, set()), (set(), {"unit/test_a.py::test_b"})]
)
def test_one_that_did_not_run_is_noticed(ran: set[str], missing: set[str]) -> None:
    assert not_run({"unit/test_a.py::test_b"}, ran) == missing
