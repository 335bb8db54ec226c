"""The caller goes on waiting (T3)."""

from ivr.workflow import Plain
from routing.core.lifecycle import workflow
from routing.core.lifecycle.change import Change


def chosen(c: Change, _: Plain) -> None:
    workflow.end_step(c)
