"""Logs: structlog to stdout, JSON unless that is a terminal; libraries that use `logging` come out the same.

Writing never blocks the event loop and never raises: a thread writes; lines it cannot write are dropped and
counted. What is personal or secret is masked on the way (redaction.py).

Out of memory there is no going on: what was under way is half done, and nobody knows which half. As whoever catches
everything logs it, ours and the libraries' alike, this is where it is seen, and where the process ends.
"""

import atexit
import contextlib
import logging
import os
import queue
import sys
import threading
from typing import Any, NoReturn

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from routing.runtime.redaction import redact

_BACKLOG = 10_000  # lines; some seconds of a very busy service
_NO_MEMORY = b'{"event": "out of memory: ended", "level": "critical"}\n'


def end_without_memory() -> NoReturn:
    """At once: nothing that is still to be done can be relied on. The successor finds the calls again."""
    with contextlib.suppress(OSError):
        os.write(2, _NO_MEMORY)
    os._exit(os.EX_OSERR)


class LineWriter:
    """Writes lines to a file descriptor from its own thread. What it cannot write it drops and counts."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        if self._lines.qsize() < _BACKLOG:
            self._lines.put(line)
        else:
            self.dropped += 1

    def close(self, patience: float = 1.0) -> None:
        """Write what is waiting, for at most `patience` seconds."""
        self._lines.put(None)
        self._thread.join(patience)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(f"{line}\n".encode(errors="backslashreplace"))
            except OSError:  # disk full, reader gone, stdout closed
                self.dropped += 1
            except MemoryError:
                end_without_memory()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]


class _Logger:
    """What structlog calls at the end of the chain, whatever the level."""

    def __init__(self, writer: LineWriter) -> None:
        self.msg = writer.put

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.msg


class _Handler(logging.Handler):
    """The same end for the standard library's loggers; a record that cannot be formatted is dropped."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _require_memory(record.exc_info)
            self._writer.put(self.format(record))
        except MemoryError:
            end_without_memory()
        except Exception:  # a log line must never be what fails a call
            self._writer.dropped += 1


_writer: LineWriter | None = None


def dropped() -> int:
    """How many lines could not be written since the start; for the metrics."""
    return _writer.dropped if _writer else 0


def configure(level: str = "info", *, fd: int = 1, json: bool | None = None) -> None:
    """Set up logging for this process. `json=None`: JSON unless `fd` is a terminal."""
    global _writer
    if _writer:
        _writer.close()
    else:
        atexit.register(_close)
    _writer = LineWriter(fd)
    as_json = not _is_terminal(fd) if json is None else json
    number = logging.getLevelNamesMapping()[level.upper()]
    _configure_structlog(_writer, number, as_json)
    _configure_stdlib(_writer, number, as_json)


def _configure_structlog(writer: LineWriter, level: int, as_json: bool) -> None:
    structlog.configure(
        processors=[_never_fail([*_before(), *_after(as_json)])],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Logger(writer),
        cache_logger_on_first_use=False,  # tests and `up` configure again
    )


def _configure_stdlib(writer: LineWriter, level: int, as_json: bool) -> None:
    handler = _Handler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_before()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_after(as_json)],
        )
    )
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.raiseExceptions = False
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # Postgres' absence is told by us, in one line


def _before() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _after(as_json: bool) -> list[Processor]:
    if as_json:
        trace = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )
        return [trace, _redact, structlog.processors.JSONRenderer(default=str)]
    return [structlog.processors.format_exc_info, _redact, structlog.dev.ConsoleRenderer()]


def _redact(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    return {key: redact(value, key) for key, value in event_dict.items()}


def _never_fail(chain: list[Processor]) -> Processor:
    """Run the chain; a value that cannot be rendered costs the line, not the call it is about."""

    def run(logger: WrappedLogger, method: str, event_dict: EventDict) -> Any:
        rendered: Any = event_dict
        try:
            _require_memory(event_dict.get("exc_info"))
            for processor in chain:
                rendered = processor(logger, method, rendered)
        except MemoryError:
            end_without_memory()
        except Exception:
            if _writer:
                _writer.dropped += 1
            raise structlog.DropEvent from None
        return rendered

    return run


def _require_memory(told: Any) -> None:
    """Raise the MemoryError that a line is about: `told` is its `exc_info`, True for the one being handled."""
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, MemoryError):
        raise error


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _close() -> None:
    if _writer:
        _writer.close()
