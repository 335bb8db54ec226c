"""How often one agent, or one token, asks for a call back over the API: counted by the statement that stores it.

Counterpart: `routing.store.number_rules`, the other rules of that statement. {c} is a Check as jsonb, {now} the time.
"""

from datetime import datetime
from typing import Any

from routing.store.database import Pool, connection

RULE = "requests_per_agent"

# What lies in the future was written before the clock was set back.
_LATELY = """(SELECT t FROM unnest(r.at) t
               WHERE t > {now} - interval '1 hour' AND t < {now} + interval '1 minute')"""

# On conflict the row is locked and read anew, so that requests at the same moment are counted one after another.
_COUNTED = f"""
    INSERT INTO requests_made AS r (who, at) SELECT {{c}} ->> 'asker', ARRAY[{{now}}]
     WHERE {{c}} ->> 'asker' IS NOT NULL {{unless}}
    ON CONFLICT (who) DO UPDATE SET at = ARRAY{_LATELY} || {{now}}
     WHERE (SELECT count(*) FROM {_LATELY} lately) < ({{c}} ->> 'requests_per_agent')::int
    RETURNING who
"""  # noqa: S608  # of the constant above

_TOO_MANY = f"""
    SELECT 1 AS n, 'requests_per_agent' AS rule, {{now}} + interval '1 hour' - coalesce(
               (SELECT max({{now}} - t) FROM requests_made r, LATERAL {_LATELY} lately
                 WHERE r.who = {{c}} ->> 'asker'), '0') AS until
     WHERE {{c}} ->> 'asker' IS NOT NULL AND NOT EXISTS (SELECT FROM asked)
"""  # noqa: S608


def limited(question: str, c: str, now: str) -> str:
    """The parts `asked` and `refused` of a statement: `question` (rule, until) and this limit, which comes first, so
    that beyond it all answers are alike. Settings that are stale are asked about again, and do not count yet."""
    unless = "AND NOT EXISTS (SELECT FROM spoken WHERE rule = 'stale')"
    return f"""spoken AS ({question}),
asked AS ({_COUNTED.format(c=c, now=now, unless=unless)}),
refused AS (
    SELECT rule, until FROM (
        SELECT CASE WHEN rule = 'stale' THEN 0 ELSE 2 END AS n, rule, until FROM spoken
        UNION ALL {_TOO_MANY.format(c=c, now=now)}) each_rule ORDER BY n LIMIT 1)"""  # noqa: S608  # of constants


_COUNT = _COUNTED.format(c="$1::jsonb", now="$2::timestamptz", unless="")


async def count(pool: Pool, check: Any, now: datetime) -> None:
    """A request that was refused by a constraint, which undid the counting as well."""
    async with connection(pool) as c:
        await c.execute(_COUNT, check, now)
