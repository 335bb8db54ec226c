"""Queues as rows, on a real Postgres."""

import pytest

from routing.core.errors import Invalid, NotFound
from routing.core.events import NumberFormat
from routing.core.queues import Queue, Switches
from routing.store import queues
from routing.store.database import Pool, connection
from routing.store.migrate import migrate


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


async def answering(pool: Pool, dialled: str, written: NumberFormat = NumberFormat.AUTO) -> str | None:
    found = await queues.by_number(pool, dialled, written)
    return found[0].name if found else None


async def test_however_a_trunk_writes_the_called_number_it_is_the_same_one(pool: Pool) -> None:
    await queues.put(pool, Queue(name="berlin", numbers=("600", "+4930555100", "069555200")))
    await queues.put(pool, Queue(name="vienna", region="AT", numbers=("+431555300", "601")))
    for dialled in ("+4930555100", "4930555100", "004930555100", "030555100", "600", "069555200", "+4969555200"):
        assert await answering(pool, dialled) == "berlin", dialled
    for dialled in ("+431555300", "431555300", "00431555300", "01555300", "601"):
        assert await answering(pool, dialled) == "vienna", dialled
    for dialled in ("+49600", "49600", "0600", "555100", "30555101", "+3930555100", "", "600abc"):
        assert await answering(pool, dialled) is None, dialled


async def test_a_trunk_that_is_known_to_write_them_in_one_way_is_believed(pool: Pool) -> None:
    await queues.put(pool, Queue(name="berlin", numbers=("600", "+4930555100")))
    way = NumberFormat
    for dialled, written, there in (
        ("030555100", way.NATIONAL, True),
        ("4930555100", way.NATIONAL, False),
        ("4930555100", way.E164_NO_PLUS, True),
        ("030555100", way.E164_NO_PLUS, False),
        ("4930555100", way.E164, False),
        ("+4930555100", way.E164, True),
        ("600", way.E164, True),
    ):
        assert (await answering(pool, dialled, written) == "berlin") is there, (dialled, written)


async def test_two_queues_never_have_one_number_in_two_forms(pool: Pool) -> None:
    await queues.put(pool, Queue(name="support", numbers=("+4930555100",)))
    for form in ("4930555100", "004930555100", "030555100", "+4930555100"):
        with pytest.raises(Invalid, match="support") as refused:
            await queues.put(pool, Queue(name="sales", numbers=("602", form)))
        assert refused.value.pointer == "/numbers" and form in str(refused.value)
    assert await queues.by_number(pool, "602") is None
    await queues.put(pool, Queue(name="vienna", region="AT", numbers=("030555100",)))
    await queues.put(pool, Queue(name="support", numbers=("4930555100", "+4930555100")))
    await queues.delete(pool, "support")
    await queues.put(pool, Queue(name="sales", numbers=("4930555100",)))
    assert await answering(pool, "+4930555100") == "sales"


async def test_a_called_number_that_can_be_two_queues_reaches_neither(pool: Pool) -> None:
    await queues.put(pool, Queue(name="paris", region="FR", numbers=("+33612345678",)))
    await queues.put(pool, Queue(name="potsdam", numbers=("+4933612345678",)))
    assert await answering(pool, "33612345678") is None
    assert await answering(pool, "33612345678", NumberFormat.E164_NO_PLUS) == "paris"
    assert await answering(pool, "33612345678", NumberFormat.NATIONAL) == "potsdam"


async def test_queues_of_before_are_found_in_every_form_after_the_next_migration(pool: Pool, dsn: str) -> None:
    await queues.put(pool, Queue(name="support", numbers=("030555100",), caller_id="08001234567"))
    async with connection(pool) as c:
        await c.execute("DELETE FROM answered_numbers; DELETE FROM own_numbers")
    assert await answering(pool, "+4930555100") is None
    assert await migrate(dsn) == []
    assert await answering(pool, "+4930555100") == "support"
    async with connection(pool) as c:
        own = await c.fetch("SELECT number FROM own_numbers ORDER BY number")
    assert [row["number"] for row in own] == ["+4930555100", "+498001234567"]


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
