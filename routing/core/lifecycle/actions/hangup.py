"""The "other" action: a message, then the call ends."""

from ivr.workflow import HangUpAction
from routing.core.interaction import Ended, Stage
from routing.core.lifecycle import asking
from routing.core.lifecycle.change import Change


def chosen(c: Change, action: HangUpAction) -> None:
    c.set(stage=Stage.LEAVING, outcome=Ended.SAID_GOODBYE)
    asking.ask(c, (action.hangup.say,))
