"""docs/lifecycle.md tells what the code does: its generated parts are fresh, and what it names is there."""

import re
from pathlib import Path

import pytest

from routing.core.interaction import Deadline, Stage, Status
from tests.lifecycle import diagram
from tests.lifecycle.diagram import DOCUMENT, filled, steps

ROOT = Path(__file__).parents[3]
TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_generated_parts_are_fresh() -> None:
    assert filled(TEXT) == TEXT, "stale: run python -m tests.lifecycle.diagram"


def test_a_document_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="generated: diagram"):
        filled(TEXT.replace("<!-- generated: diagram -->", ""))


def test_every_status_and_every_stage_is_left_again_but_closed() -> None:
    found = steps()
    left = {step.start for step in found if step.start != step.end}
    assert {status for status, _ in left} == set(Status) - {Status.CLOSED}
    assert {stage for _, stage in left} == {None, *Stage}


def test_every_deadline_has_a_row() -> None:
    for kind in Deadline:
        assert re.search(rf"`TimeReached\({kind}\)`", TEXT), kind


def test_a_row_for_several_keys_names_all_of_them() -> None:
    rows = [line for line in diagram.table(steps()).splitlines() if line.startswith("| bot / number_entry")]
    assert any("`DigitPressed(#, 1, 2, 5, 9)`" in row for row in rows)


def test_every_place_tells_what_leads_nowhere_there() -> None:
    rows = {row.split(" | ")[0].removeprefix("| "): row for row in diagram.nothing_done().splitlines()[2:]}
    assert len(rows) == len({step.start for step in steps()} | {step.end for step in steps()})
    assert "`wrong_stage`: Cancelled" in rows["connected / talking"]
    assert "(DigitPressed)" in rows["bot / confirm"], "ignored only while the number is read back"
    assert " DigitPressed" in rows["open"] and "DigitPressed" not in rows["bot / menu"]


def test_every_test_the_document_names_is_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert named and named <= there, named - there


def test_every_constraint_the_document_names_is_in_the_schema_and_the_other_way_round() -> None:
    schema = "".join(path.read_text() for path in (ROOT / "routing/store/migrations").glob("*.sql"))
    there = set(re.findall(r"(?:CONSTRAINT|UNIQUE INDEX) (\w+)", schema)) - set(
        re.findall(r"DROP INDEX (\w+)", schema)
    )
    invariants = TEXT.partition("## Invariants")[2]
    named = set(re.findall(r"`(\w+)`", invariants))
    assert there <= named, there - named
    for name in re.findall(r"SQL `(\w+)`", invariants):
        assert name in there, name
