"""Queues as rows, on a real Postgres."""

import pytest

from routing.errors import Invalid, NotFound
from routing.queues import Queue, Switches
from routing.store import queues
from routing.store.database import Pool, connection


async def test_a_changed_queue_gets_a_new_version_and_the_old_one_stays(pool: Pool) -> None:
    first = await queues.put(pool, Queue(name="support", numbers=("600",)))
    second = await queues.put(pool, Queue(name="support", title="Support", numbers=("600",)))

    assert (first.version, second.version) == (1, 2)
    assert await queues.version(pool, "support", 1) == first.queue
    assert await queues.get(pool, "support") == second


async def test_the_same_settings_again_make_no_new_version(pool: Pool) -> None:
    queue = Queue.model_validate({"name": "support", "numbers": ["600"], "offer": {"accept_timeout": 0.5}})

    assert [(await queues.put(pool, queue)).version for _ in range(3)] == [1, 1, 1]


async def test_a_stored_queue_is_read_back_as_it_was(pool: Pool) -> None:
    steps = [{"after": 10, "announce": ["position"]}, {"after": 20.5, "menu": "offer", "keys": {"2": "callback"}}]
    queue = Queue.model_validate(
        {"name": "support", "workflow": {"steps": steps}, "dial": {"retry": {"busy": [3, 2.5]}}, "hours": {"mon": []}}
    )

    await queues.put(pool, queue)

    assert (await queues.get(pool, "support")).queue == queue


async def test_a_number_belongs_to_one_queue(pool: Pool) -> None:
    await queues.put(pool, Queue(name="support", numbers=("600", "601")))

    with pytest.raises(Invalid) as refused:
        await queues.put(pool, Queue(name="sales", numbers=("602", "601")))

    assert refused.value.pointer == "/numbers"
    with pytest.raises(NotFound):
        await queues.get(pool, "sales")
    assert await queues.by_number(pool, "602") is None


async def test_a_dialled_number_leads_to_the_current_version(pool: Pool) -> None:
    await queues.put(pool, Queue(name="support", numbers=("600",)))
    changed = await queues.put(pool, Queue(name="support", title="Support", numbers=("601",)))

    assert await queues.by_number(pool, "601") == (changed.queue, 2)
    assert await queues.by_number(pool, "600") is None


async def test_a_deleted_queue_frees_its_numbers_and_can_come_back(pool: Pool) -> None:
    await queues.put(pool, Queue(name="support", numbers=("600",)))
    await queues.delete(pool, "support")

    assert await queues.by_number(pool, "600") is None
    assert await queues.every(pool, limit=10) == []
    with pytest.raises(NotFound):
        await queues.delete(pool, "support")
    assert (await queues.put(pool, Queue(name="support", numbers=("600",)))).version == 1


async def test_queues_are_listed_page_by_page(pool: Pool) -> None:
    for name in ("c", "a", "b"):
        await queues.put(pool, Queue(name=name))

    assert [each.queue.name for each in await queues.every(pool, limit=2)] == ["a", "b"]
    assert [each.queue.name for each in await queues.every(pool, limit=2, after="b")] == ["c"]
    assert [each.queue.name for each in await queues.every(pool, limit=9, only=frozenset({"b"}))] == ["b"]


async def test_what_a_queue_answers_and_shows_are_our_own_numbers_in_e164(pool: Pool) -> None:
    numbers = ("600", "030555100", "+4930555100")
    await queues.put(pool, Queue(name="support", numbers=numbers, caller_id="08001234567"))

    async def own() -> list[str]:
        async with connection(pool) as c:
            return [row["number"] for row in await c.fetch("SELECT number FROM own_numbers ORDER BY number")]

    assert await own() == ["+4930555100", "+498001234567"]
    await queues.put(pool, Queue(name="support", numbers=("600",)))
    assert await own() == []


async def test_switches_are_turned_by_themselves_and_outlive_a_change_of_settings(pool: Pool) -> None:
    stored = await queues.put(pool, Queue(name="support"))
    assert stored.switches == Switches(register=True, process=True)
    assert await queues.switch(pool, "support", register=None, process=False) == Switches(process=False)
    changed = await queues.put(pool, Queue(name="support", title="Support"))
    assert changed.switches == (await queues.get(pool, "support")).switches == Switches(process=False)
    with pytest.raises(NotFound):
        await queues.switch(pool, "nowhere", register=False, process=None)
