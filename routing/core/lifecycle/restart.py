"""Contact with Asterisk was lost and is back. What was missed has been told already, leg by leg; this asks once more
for all that people hear, and for what may never have left (every effect may be asked twice)."""

from routing.core.effects import Answer, DestroyBridge
from routing.core.interaction import Deadline, LegState, Role, Stage, Status, Subtype
from routing.core.lifecycle import asking, calling, line, ringing, workflow
from routing.core.lifecycle.change import Change


def restarted(c: Change, *, bridged: bool) -> None:
    """`bridged`: its bridge is there. A talk that was over as contact was lost leaves nobody in it. Of one that is
    closed the sweeper clears it away: closed is final, so nothing is stored of it, nor done."""
    if c.it.status is Status.CLOSED:
        c.ignore()
        return
    if bridged and c.it.stage is not Stage.TALKING:
        c.do(DestroyBridge(c.it.bridge))
    if c.it.subtype is Subtype.INBOUND and line.caller_lost(c):
        return
    c.audio_unknown()
    if caller := c.leg(Role.CALLER):
        c.do(Answer(caller.id, c.it.id.hex))
    _prompt_again(c)
    c.ask_for_audio()
    _ring_again(c)
    _dial_again(c)


def _prompt_again(c: Change) -> None:
    """A question is asked again. Whether an announcement or a greeting ended meanwhile is not known: it counts as
    heard."""
    if c.it.status is Status.BOT:
        asking.ask_again(c)
    elif c.it.playing and c.it.status is Status.CONNECTED:
        calling.greeting_over(c)
    elif c.it.playing:
        workflow.end_step(c)


def _ring_again(c: Change) -> None:
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.REQUESTED:
        accepted = c.it.status is Status.CONNECTED
        c.do(ringing.agent_call(c, agent, auto_answer=accepted and c.it.desk.auto_answer))


def _dial_again(c: Change) -> None:
    """A customer's leg may have been made and not dialled yet; after its time to ring it is not any more, nor when a
    number rule has come meanwhile, which is asked as before the first dial (`routing.core.requirements`)."""
    customer = c.leg(Role.CUSTOMER)
    in_time = c.now < c.it.deadlines.get(Deadline.CUSTOMER_ANSWER, c.now)
    if customer and customer.state is LegState.REQUESTED and in_time:
        c.do(ringing.customer_call(c, customer, made=True))
