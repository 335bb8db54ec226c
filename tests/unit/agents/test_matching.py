"""One fair line: property tests of who gets whom."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from routing.core.matching import Candidate, IdleAgent, match

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUES = ("sales", "support")
AGENTS = ("a", "b", "c")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def waiting(n: int, queue: str = "support", **changes: object) -> Candidate:
    fields: dict[str, object] = {"front": False, "priority": 0, "queued_at": at(n), "excluded": {}}
    return Candidate(UUID(int=n), queue, **{**fields, **changes})  # type: ignore[arg-type]


def free(agent: str, idle: float = 0, **queues: int) -> IdleAgent:
    return IdleAgent(agent, at(idle), queues or {"support": 0})


lines = st.lists(
    st.builds(
        Candidate,
        id=st.integers(1, 50).map(lambda n: UUID(int=n)),
        queue=st.sampled_from(QUEUES),
        front=st.booleans(),
        priority=st.integers(-1, 1),
        queued_at=st.integers(0, 20).map(at),
        excluded=st.dictionaries(st.sampled_from(AGENTS), st.sampled_from([at(-1), at(1)]), max_size=2),
    ),
    unique_by=lambda each: each.id,
    max_size=12,
)
agents = st.lists(
    st.builds(
        IdleAgent,
        agent=st.sampled_from(AGENTS),
        idle_since=st.integers(-20, 0).map(at),
        queues=st.dictionaries(st.sampled_from(QUEUES), st.integers(0, 2), min_size=1),
    ),
    unique_by=lambda each: each.agent,
)


def able(agent: IdleAgent, each: Candidate) -> bool:
    return each.queue in agent.queues and each.excluded.get(agent.agent, NOW) <= NOW


@given(lines, agents)
def test_nobody_is_overtaken_by_a_later_one_whom_the_same_agent_could_serve(
    line: list[Candidate], ready: list[IdleAgent]
) -> None:
    pairs = match(line, ready, NOW)
    served = {each.id for each, _ in pairs}
    for chosen, agent in pairs:
        for other in line:
            if other.id not in served and able(agent, other):
                assert chosen.place < other.place


@given(lines, agents)
def test_no_agent_and_no_interaction_is_given_twice_and_nobody_able_stays_idle(
    line: list[Candidate], ready: list[IdleAgent]
) -> None:
    pairs = match(line, ready, NOW)
    taken = {agent.agent for _, agent in pairs}
    served = {each.id for each, _ in pairs}
    assert len(taken) == len(served) == len(pairs)
    assert all(able(agent, each) for each, agent in pairs)
    for agent in ready:
        if agent.agent not in taken:
            assert not any(able(agent, each) for each in line if each.id not in served)


def test_the_agent_idle_longest_is_asked_first_unless_another_has_less_penalty() -> None:
    (pair,) = match([waiting(1)], [free("a", -5), free("b", -9)], NOW)
    assert pair[1].agent == "b"
    (pair,) = match([waiting(1)], [free("a", -5), free("b", -9, support=1)], NOW)
    assert pair[1].agent == "a"


def test_the_front_comes_before_priority_and_priority_before_age() -> None:
    line = [waiting(1), waiting(2, priority=1), waiting(3, front=True)]
    order = [each.id.int for each, _ in match(line, [free("a"), free("b"), free("c")], NOW)]
    assert order == [3, 2, 1]


def test_who_has_just_rejected_it_is_passed_over_until_the_time_is_up() -> None:
    excluded = {"a": at(5)}
    assert match([waiting(1, excluded=excluded)], [free("a")], NOW) == []
    assert match([waiting(1, excluded=excluded)], [free("a")], at(5))
