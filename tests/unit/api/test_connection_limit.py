"""What strangers send to the HTTP port is told, but not without end."""

import logging

from aiohttp.http_exceptions import BadStatusLine

from routing.api.http import connection_limit


def test_of_a_flood_of_rubbish_some_lines_a_second_are_written() -> None:
    clock = [0.0]
    sparing = connection_limit.Sparing(lambda: clock[0])
    assert sum(sparing.allows() for _ in range(1000)) == connection_limit.LINES
    clock[0] += 0.2
    assert [sparing.allows(), sparing.allows()] == [True, False]
    clock[0] += 3600
    assert sum(sparing.allows() for _ in range(1000)) == connection_limit.LINES


def test_our_own_errors_are_always_written() -> None:
    for _ in range(100):
        assert connection_limit._told_briefly(record(RuntimeError("ours")))
    rubbish = [connection_limit._told_briefly(record(BadStatusLine("junk"))) for _ in range(100)]
    assert 0 < sum(rubbish) < 100


def record(error: Exception) -> logging.LogRecord:
    return logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "Error", (), (type(error), error, None))
