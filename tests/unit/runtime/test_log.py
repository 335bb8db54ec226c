"""Logs are JSON lines that hide what is personal, and a log that cannot be written harms nobody."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from routing.runtime import log
from routing.runtime.redaction import mask, redact

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written() -> Iterator[Lines]:
    """Log into a pipe; the function given closes the log and returns what it wrote."""
    reader, writer = os.pipe()
    old_handlers, old_level = logging.root.handlers[:], logging.root.level
    log.configure("info", fd=writer)

    def lines() -> list[dict[str, Any]]:
        log._close()
        os.close(writer)
        with os.fdopen(reader, closefd=False) as stream:
            return [json.loads(line) for line in stream]

    yield lines
    os.close(reader)
    logging.root.handlers[:], logging.root.level = old_handlers, old_level
    structlog.reset_defaults()


def test_a_line_has_event_level_utc_time_and_the_bound_interaction(written: Lines) -> None:
    with structlog.contextvars.bound_contextvars(interaction="0c1f"):
        structlog.get_logger().info("decided", before="open", after="offered")
    (line,) = written()
    assert line["event"] == "decided"
    assert line["level"] == "info"
    assert line["interaction"] == "0c1f"
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written(written: Lines) -> None:
    structlog.get_logger().debug("detail")
    assert written() == []


def test_the_standard_library_logs_the_same_way(written: Lines) -> None:
    logging.getLogger("panoramisk").warning("call from %s", "+447911123456")
    (line,) = written()
    assert line["event"] == "call from +44*******456"
    assert line["level"] == "warning"
    assert line["logger"] == "panoramisk"


def test_an_exception_is_logged_without_local_variables_and_masked(written: Lines) -> None:
    def fail() -> None:
        pin = "hunter2"
        raise ValueError(f"cannot dial +4915112345678 {len(pin)}")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = written()
    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "hunter2" not in json.dumps(line)
    assert "+49********678" in line["exception"][0]["exc_value"]


def test_a_value_that_cannot_be_rendered_costs_the_line_only(written: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    structlog.get_logger().info("broken", value=Broken())
    structlog.get_logger().info("fine")
    assert log.dropped() == 1
    assert [line["event"] for line in written()] == ["fine"]


def test_a_reader_that_went_away_costs_lines_which_are_counted() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lines = log.LineWriter(writer)
    lines.put("one")
    lines.put("two")
    lines.close()
    os.close(writer)
    assert lines.dropped == 2


def test_a_reader_that_reads_nothing_never_blocks_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_BACKLOG", 10)
    reader, writer = os.pipe()
    lines = log.LineWriter(writer)
    for _ in range(50):
        lines.put("x" * 65536)
    assert lines.dropped >= 38
    os.close(reader)
    lines.close()
    os.close(writer)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+44791112345", "+44******345"),
        ("from +4930555100 to 600", "from +49*****100 to 600"),
        ("sip:4915112345678@127.0.0.1:8091", "sip:49********678@127.0.0.1:8091"),
        ("PJSIP/carrier/sip:+4915112345678@carrier", "PJSIP/carrier/sip:+49********678@carrier"),
        ("004915112345678", "0049********678"),
        ("4915112345678", "49********678"),
        ("GET /api/v1/contacts?number=%2B4915112345678", "GET /api/v1/contacts?number=%2B49********678"),
        ("GET /stream?token=abcdef&after=3", "GET /stream?token=***&after=3"),
        ("postgresql://ringback:pw@db/ringback", "postgresql://***:***@db/ringback"),
        ("Authorization: Bearer 0123456789abcdef", "Authorization: Bearer ***"),
        ("0f7d1234567890ab1234567890abcdef", "0f7d1234567890ab1234567890abcdef"),
        ("1700000000.12", "1700000000.12"),
    ],
)
def test_numbers_and_secrets_in_texts_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_digits_and_secrets_are_dropped_by_their_key_at_any_depth() -> None:
    told = {
        "digit": "2",
        "data": [{"ari_password": "x", "token": "y", "queue": "support"}],
        "digits_wanted": 1,
    }
    assert redact(told) == {
        "digit": "***",
        "data": [{"ari_password": "***", "token": "***", "queue": "support"}],
        "digits_wanted": 1,
    }


class Ended(BaseException):
    """The process would have."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def end() -> None:
        raise Ended

    monkeypatch.setattr(log, "end_without_memory", end)


def test_a_lack_of_memory_that_somebody_caught_and_logged_ends_the_process(written: Lines, ends: None) -> None:
    with pytest.raises(Ended):
        try:
            raise MemoryError
        except Exception:
            structlog.get_logger().exception("letter not handled")


def test_a_lack_of_memory_that_a_library_or_the_event_loop_logged_ends_the_process(
    written: Lines, ends: None
) -> None:
    with pytest.raises(Ended):
        logging.getLogger("asyncio").error("Fatal error on transport", exc_info=MemoryError())


def test_a_lack_of_memory_for_the_line_itself_ends_the_process(
    written: Lines, ends: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs_out(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(log, "redact", runs_out)
    with pytest.raises(Ended):
        structlog.get_logger().info("decided")
    with pytest.raises(Ended):
        logging.getLogger("panoramisk").warning("lost")


def test_any_other_error_that_is_logged_ends_nothing(written: Lines, ends: None) -> None:
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        structlog.get_logger().exception("letter not handled")
    (line,) = written()
    assert line["event"] == "letter not handled"
