"""Tells the story on the terminal, one line for each step that was seen, and measures. Counterpart: story.py."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import asyncpg
import click

from demo.sip.errors import SipError

PROBLEMS = (AssertionError, SipError, aiohttp.ClientError, asyncpg.PostgresError, TimeoutError, OSError)
"""What a step that is not seen ends with; anything else is a mistake in the demo itself."""

_WHO, _WHAT = 10, 58


class StepFailed(Exception):
    """A step was not seen; it was told already."""


@dataclass
class Step:
    """What is done or seen; `took` what was measured of it."""

    what: str
    quote: str = ""
    span: str = ""
    seconds: float | None = None

    def took(self, seconds: float, span: str) -> None:
        """`span` says from where to where."""
        self.seconds, self.span = seconds, span


@dataclass
class Teller:
    """`seen` counts the steps; `measured` keeps the figures for the summary, by their span."""

    began: float = field(default_factory=time.monotonic)
    seen: int = 0
    measured: dict[str, list[float]] = field(default_factory=dict)

    def say(self, text: str = "") -> None:
        click.echo(text)

    def act(self, title: str) -> None:
        click.echo(f"\n{click.style(title, bold=True)}")

    @contextmanager
    def step(self, who: str, what: str, quote: str = "") -> Iterator[Step]:
        """Raises StepFailed after telling what was not as expected. `quote` is what was said."""
        step = Step(what, quote)
        try:
            yield step
        except asyncio.CancelledError:
            raise
        except PROBLEMS as error:
            self._not_seen(who, step, error)
            raise StepFailed from error
        self._seen(who, step)

    def summary(self) -> None:
        """Everything measured, in the order it was met first."""
        self.act(f"{'Measured at the phones and in Postgres':<57}{'median':>10}{'slowest':>10}{'times':>7}")
        for span, figures in self.measured.items():
            median, worst = duration(statistics.median(figures)), duration(max(figures))
            click.echo(f"  {span:<55}{median:>10}{worst:>10}{len(figures):>7}")

    def _seen(self, who: str, step: Step) -> None:
        self.seen += 1
        figure = ""
        if step.seconds is not None:
            self.measured.setdefault(step.span, []).append(step.seconds)
            figure = f"{duration(step.seconds):>8}  {click.style(step.span, dim=True)}"
        click.echo(f"{self._start('✓', 'green', who)} {step.what:<{_WHAT}} {figure}".rstrip())
        if step.quote:
            click.echo(f"{'':19} “{step.quote}”")

    def _not_seen(self, who: str, step: Step, error: BaseException) -> None:
        click.echo(f"{self._start('✗', 'red', who)} {step.what}")
        for line in (str(error) or type(error).__name__).splitlines():
            click.echo(f"          {line}")

    def _start(self, mark: str, colour: str, who: str) -> str:
        clock = click.style(f"{time.monotonic() - self.began:6.2f}", dim=True)
        return f"{clock} {click.style(mark, fg=colour)} {who:<{_WHO}}"


def duration(seconds: float) -> str:
    """Three digits that matter, such as `3.21 ms`, `48.1 ms` or `4.75 s`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    milliseconds = 1000 * seconds
    digits = 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:.{digits}f} ms"


def expect(what: str, expected: object, seen: object) -> None:
    """Raises AssertionError with both, unless they are equal."""
    if expected != seen:
        raise AssertionError(f"{what}: expected {expected}, saw {seen}")
