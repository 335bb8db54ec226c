"""The teller of the demo: what it prints, and how it takes a step that was not seen."""

import pytest

from demo.teller import StepFailed, Teller, duration, expect


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.003214, "3.21 ms"), (0.0481, "48.1 ms"), (0.2871, "287 ms"), (0.9999, "1000 ms"), (4.75, "4.75 s")],
)
def test_a_duration_is_told_with_the_digits_that_matter(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_step_that_was_seen_is_one_line_with_its_figure(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller()
    with teller.step("customer A", "calls and is answered") as step:
        step.took(0.0123, "INVITE → answered")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert all(part in line for part in ("✓", "customer A", "calls and is answered", "12.3 ms", "INVITE → answered"))


def test_a_step_that_was_not_seen_says_what_was_expected_and_ends_the_story(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(StepFailed), Teller().step("Postgres", "has the row"):
        expect("the place in line", 1, 2)
    told = capsys.readouterr().out
    assert "✗" in told and "the place in line: expected 1, saw 2" in told


def test_a_mistake_in_the_demo_itself_is_not_taken_for_a_step_that_was_not_seen() -> None:
    with pytest.raises(KeyError), Teller().step("Postgres", "has the row"):
        raise KeyError("place")


def test_the_summary_has_the_median_and_the_slowest_of_every_span(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller()
    for seconds in (0.001, 0.002, 0.009):
        with teller.step("agent", "answers") as step:
            step.took(seconds, "answer → INVITE")
    capsys.readouterr()
    teller.summary()
    figures = capsys.readouterr().out.splitlines()[-1].split()
    assert figures[-5:] == ["2.00", "ms", "9.00", "ms", "3"]
