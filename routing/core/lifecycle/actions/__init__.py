"""What a key of a menu leads to: one file for each action a workflow may name (`ivr.workflow.Action`)."""

from collections.abc import Callable, Mapping
from typing import Any

from ivr.workflow import Action, HangUpAction, Plain
from routing.core.lifecycle.actions import callback, hangup, wait
from routing.core.lifecycle.change import Change

ACTIONS: Mapping[Plain | type[Action], Callable[[Change, Any], None]] = {
    Plain.WAIT: wait.chosen,
    Plain.CALLBACK: callback.chosen,
    HangUpAction: hangup.chosen,
}


def take(c: Change, action: Action) -> None:
    """The caller chose it."""
    ACTIONS[action if isinstance(action, Plain) else type(action)](c, action)
