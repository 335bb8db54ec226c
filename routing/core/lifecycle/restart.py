"""Contact with Asterisk was lost and is back. What was missed has been told already, leg by leg; this puts
what people hear right again and asks once more for what may never have left (every effect may be asked twice)."""

from routing.core.effects import AddToBridge, Answer, DestroyBridge, PlayRingback
from routing.core.interaction import Deadline, Leg, LegState, Role, Stage, Status, Subtype
from routing.core.lifecycle import asking, line, ringing, workflow
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
    was_told = c.it.waiting.playing is not None
    if caller := c.leg(Role.CALLER):
        c.hush(caller)  # first: Asterisk does nothing else with a channel until its prompt has ended (measured)
        c.do(Answer(caller.id, c.it.id.hex))
    match c.it.status:
        case Status.OPEN | Status.OFFERED:
            _music_again(c, was_told=was_told)
            _ring_again(c)
        case Status.BOT:
            asking.ask_again(c)
        case Status.CONNECTED:
            _connected_again(c)
        case _:
            pass


def _music_again(c: Change, *, was_told: bool) -> None:
    """Whether an announcement ended meanwhile is not known: it counts as heard."""
    caller = c.leg(Role.CALLER)
    if caller is None:
        return
    if was_told:
        workflow.end_step(c)
    else:
        c.music(caller)


def _ring_again(c: Change) -> None:
    agent = c.leg(Role.AGENT)
    if agent and agent.state is LegState.REQUESTED:
        accepted = c.it.status is Status.CONNECTED
        c.do(ringing.agent_call(c, agent, auto_answer=accepted and c.it.desk.auto_answer))


def _connected_again(c: Change) -> None:
    agent = c.leg(Role.AGENT)
    far = c.leg(Role.CUSTOMER) or c.leg(Role.CALLER)
    _ring_again(c)
    if far is None:
        return
    if c.it.stage is Stage.TALKING and agent:
        c.do(AddToBridge(c.it.bridge, (far.id, agent.id)))
        return
    _far_again(c, far)
    if far.role is Role.CUSTOMER and far.state is not LegState.UP and agent and agent.state is LegState.UP:
        c.do(PlayRingback(agent.id))


def _far_again(c: Change, far: Leg) -> None:
    """A customer's leg may have been made and not dialled yet; after its time to ring it is not any more, nor when a
    number rule has come meanwhile, which is asked as before the first dial (`routing.core.requirements`)."""
    if far.role is Role.CUSTOMER and far.state is LegState.REQUESTED:
        if c.now < c.it.deadlines.get(Deadline.CUSTOMER_ANSWER, c.now):
            c.do(ringing.customer_call(c, far, made=True))
    elif far.state is LegState.UP:
        c.hush(far)
        c.music(far)
