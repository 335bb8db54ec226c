"""What agents look like. Pure."""

from routing.api.agents import answers
from routing.core import agents
from routing.store.agents import Agent


def agent(stored: Agent, phone: agents.PhoneState) -> answers.Agent:
    settings = stored.settings
    state, reason = agents.shown(stored.availability, stored.reason, stored.work, phone)
    return answers.Agent(
        id=stored.id,
        name=settings.name,
        queues=[answers.Serves(each.queue, each.penalty) for each in settings.queues],
        skills=list(settings.skills),
        accept_mode=settings.accept_mode,
        auto_answer=settings.auto_answer,
        wrap_up=settings.wrap_up,
        state=state,
        reason=reason,
        phone=phone,
        since=stored.since,
        interaction=stored.interaction,
    )
