"""Postgres understands every statement that a decision can be stored with, however rare its parts come together."""

from itertools import product

from routing.core.requirements import Moment
from routing.store.database import Pool
from routing.store.interactions.statements import Parts, statement


def every_combination() -> set[Parts]:
    flags = product((False, True), repeat=7)
    return {
        Parts(new, new or moves, asks, legs, attempts, assigns, continues, releases, rests, feed)
        for new, moves, legs, attempts, releases, rests, feed in flags
        for assigns, continues in ((False, False), (True, False), (False, True))
        for asks in (None, *Moment)
    }


async def test_every_combination_of_parts_is_a_statement(pool: Pool) -> None:
    statements = {statement(parts) for parts in every_combination()}
    assert len(statements) == 9 * 2**3 * 3 * 3, (
        "new, moves or neither; asks; the agent's; the rest, where rests goes with releases"
    )
    async with pool.acquire() as c:
        for each in statements:
            prepared = await c.prepare(each.sql)
            assert len(prepared.get_parameters()) == len(each.names)
