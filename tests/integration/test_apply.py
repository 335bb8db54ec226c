"""`ringback apply`: every change is shown, all of it is stored or nothing, and a wrong file is one line."""

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from api_service import CUSTOMER, QUICK, Service

from routing.cli.apply import apply
from routing.cli.site_files import WrongFile
from routing.core.agents import ha1
from routing.core.errors import Unavailable
from routing.core.interaction import Status
from routing.core.queues import Queue
from routing.engine import apply_watch
from routing.engine.notices import QueueChanged
from routing.runtime.passwords import Passwords
from routing.store import agents, applied, number_rules, queues
from routing.store.database import Pool, transaction

SITE = """
[[queues]]
name = "support"
numbers = ["600", "601"]
dial = { ttl = 3600 }
numbers_allowed = ["+49", "+43"]

[[queues]]
name = "sales"
numbers = ["602"]

[[agents]]
id = "1001"
name = "Eva"
sip_password_file = "eva.secret"
password_env = "EVA_PASSWORD"
queues = [{ queue = "support" }, { queue = "sales", penalty = 5 }]

[[do_not_call]]
number = "+4930123456"
reason = "asked for it"
"""

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "eva.secret").write_text("a-sip-secret\n")
    monkeypatch.setenv("EVA_PASSWORD", "a-login-secret")
    return tmp_path


async def told(dsn: str, path: Path, *, dry_run: bool = False) -> list[str]:
    lines: list[str] = []
    await apply(dsn, path, lines.append, dry_run=dry_run)
    return lines


async def test_everything_in_a_folder_is_created_and_the_second_time_nothing_changes(
    site: Path, dsn: str, pool: Pool
) -> None:
    first = ["queue support: created", "queue sales: created", "agent 1001: created"]
    assert await told(dsn, site) == [*first, "do_not_call: 1 created, 0 unchanged"]
    assert (await queues.get(pool, "support")).queue.dial.ttl == 3600
    eva = await agents.get(pool, "1001")
    assert eva.settings.queues == (agents.Membership("sales", 5), agents.Membership("support", 0))
    assert await agents.sip_ha1(pool, "1001") == ha1("1001", "a-sip-secret")
    hashed, _ = await agents.password_hash(pool, "1001")
    assert await Passwords().verify(hashed, "a-login-secret")

    again = [line.replace("created", "unchanged") for line in first]
    assert await told(dsn, site) == [*again, "do_not_call: 0 created, 1 unchanged"]
    assert (await queues.get(pool, "support")).version == 1


async def test_a_number_is_listed_as_it_is_compared_and_a_queue_s_number_refused_in_another_form(
    site: Path, dsn: str, pool: Pool
) -> None:
    file = site / "site.toml"
    file.write_text(SITE.replace("+4930123456", "+49030123456"))
    await told(dsn, site)
    assert [each.number for each in await number_rules.list_do_not_call(pool, limit=9)] == ["+4930123456"]
    numbers = SITE.replace('"601"', '"+4930555100"').replace('"602"', '"004930555100"')
    file.write_text(numbers)
    with pytest.raises(WrongFile, match=r"queues\[1\]\.numbers: 004930555100 can be \+4930555100, .* support"):
        await told(dsn, site)
    assert (await queues.get(pool, "support")).queue.numbers == ("600", "601"), "nothing was changed"


async def test_a_change_is_shown_key_by_key_and_a_secret_never(site: Path, dsn: str) -> None:
    await told(dsn, site)
    (site / "eva.secret").write_text("another-secret")
    changed = SITE.replace("ttl = 3600", "ttl = 60").replace("penalty = 5", "penalty = 7").replace('"Eva"', '"Ewa"')
    (site / "site.toml").write_text(changed.replace('"+49", "+43"', '"+49"'))
    assert await told(dsn, site) == [
        "queue support: changed",
        "  dial.ttl: 3600.0 -> 60.0",
        '  numbers_allowed: ["+49", "+43"] -> ["+49"]',
        "queue sales: unchanged",
        "agent 1001: changed",
        '  name: "Eva" -> "Ewa"',
        "  queues.sales: 5 -> 7",
        "  sip_password: (secret) -> (another)",
        "do_not_call: 0 created, 1 unchanged",
    ]


async def test_a_dry_run_shows_the_same_and_changes_nothing(site: Path, dsn: str, pool: Pool) -> None:
    shown = await told(dsn, site, dry_run=True)
    assert shown[:3] == ["queue support: created", "queue sales: created", "agent 1001: created"]
    assert shown[-1] == "nothing was changed: this was a dry run"
    assert await queues.every(pool, limit=10) == []
    assert await agents.every(pool, limit=10) == []
    assert await applied.last(pool) == 0
    assert await told(dsn, site) == shown[:-1]


async def test_a_file_that_is_one_queue_is_taken_as_those_of_the_demo_are(dsn: str, pool: Pool) -> None:
    workflows = Path(__file__).parents[2] / "ivr/workflows"
    assert await told(dsn, workflows) == ["queue sales: created", "queue support: created"]
    assert (await queues.get(pool, "support")).queue.numbers == ("600", "+4930555100")


async def test_two_queues_exchange_a_number_in_one_apply(site: Path, dsn: str, pool: Pool) -> None:
    await told(dsn, site)
    text = SITE.replace('numbers = ["600", "601"]', 'numbers = ["602"]')
    (site / "site.toml").write_text(text.replace('"sales"\nnumbers = ["602"]', '"sales"\nnumbers = ["600", "601"]'))
    await told(dsn, site)
    found = await queues.by_number(pool, "600")
    assert found is not None and found[0].name == "sales"


async def test_what_postgres_refuses_is_told_with_its_place_and_nothing_of_the_file_is_stored(
    site: Path, dsn: str, pool: Pool
) -> None:
    (site / "site.toml").write_text(SITE.replace('queue = "sales", penalty', 'queue = "nowhere", penalty'))
    with pytest.raises(WrongFile) as error:
        await told(dsn, site)
    assert str(error.value) == f"{site / 'site.toml'}: agents[0].queues[1].queue: There is no queue nowhere."
    assert await queues.every(pool, limit=10) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("queues = 1", "queues: must be a list of tables: [[queues]]"),
        ("[[queue]]", "queue: unknown key; queues, agents, do_not_call are known, or name for a single queue"),
        ('[[queues]]\nname = "a"\ndail = {}', "queues[0].dail: unknown key"),
        ('name = "a"\n[dial]\nttl = "long"', "dial.ttl: Input should be a valid number"),
        ('[[queues]]\nname = "a"\n[[queues]]\nname = "a"', "queues[1].name: is there already"),
        ('[[agents]]\nname = "Eva"', "agents[0].id: is missing"),
        ('[[agents]]\nid = "49301234567"', "agents[0].id: An id of more than 6 digits"),
        ('[[agents]]\nid = "1"\npassword = "short"', "agents[0].password: String should have at least 8"),
        ('[[agents]]\nid = "1"\npassword_file = "none"', "agents[0].password_file: cannot read none: No such file"),
        ('[[agents]]\nid = "1"\npassword_env = "NOT_SET"', "agents[0].password_env: NOT_SET is not set"),
        ('[[agents]]\nid = "1"\npassword_env = "A"\npassword = "bbbbbbbb"', "password_env: password is there, too"),
        ('[[do_not_call]]\nnumber = "030"', "do_not_call[0].number: String should match pattern"),
        ("[[queues", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line_with_file_and_key_and_exit_code_2(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(WrongFile) as error:
        asyncio.run(apply("postgresql:///unused", path, print, dry_run=False))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "bbbbbbbb" not in str(error.value)


def test_on_the_command_line_it_is_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('name = "Not a name"')
    command = [sys.executable, "-m", "routing", "apply", str(path), "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ringback: {path}: name: String should match pattern")
    assert done.stderr.count("\n") == 1 and done.stdout == ""


async def test_a_running_service_acts_on_it_within_a_second(
    site: Path, dsn: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue answers its number, and the agent's SIP account is pushed; both though the service had looked."""
    engine = service.engine
    task = asyncio.create_task(apply_watch.follow(engine))
    assert await engine.queues.by_number("600") is None
    await told(dsn, site)
    async with asyncio.timeout(1):
        while not service.phones.accounts.get("1001"):  # noqa: ASYNC110  # another process told nobody but Postgres
            await asyncio.sleep(0.01)
    found = await engine.queues.by_number("600")
    assert found is not None and found[0].dial.ttl == 3600
    task.cancel()
    await asyncio.wait([task])


async def test_a_callback_that_waits_for_a_number_that_is_listed_ends_at_once(
    tmp_path: Path, dsn: str, service: Service
) -> None:
    """Nobody is there whom it could be offered to, nor an Asterisk to take the account applied before."""
    await service.queue(numbers=["600"], workflow=QUICK)
    waits, stays = await service.callback(), await service.callback(number="+4915112345679")
    changed, looked = service.changes(), asyncio.Event()
    service.engine.subscribe(lambda notice: looked.set() if isinstance(notice, QueueChanged) else None)
    task = asyncio.create_task(apply_watch.follow(service.engine))
    await asyncio.wait_for(looked.wait(), 5)
    service.phones.fails = Unavailable("Asterisk is away.")
    agent, listed = tmp_path / "agent.toml", tmp_path / "listed.toml"
    agent.write_text('[[agents]]\nid = "1001"\nsip_password = "a-sip-secret"\n')
    listed.write_text(f'[[do_not_call]]\nnumber = "{CUSTOMER}"\n')
    try:
        await told(dsn, agent)
        assert await told(dsn, listed) == ["do_not_call: 1 created, 0 unchanged"]
        closed = await changed.until(lambda it: it.id == waits)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert (closed.status, closed.outcome) == (Status.CLOSED, "blocked")
    assert (await service.stored(stays)).status is Status.OPEN


async def test_two_at_once_do_not_lose_each_other_s_news(dsn: str, pool: Pool, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"')
    await asyncio.gather(*(told(dsn, tmp_path / f"{name}.toml") for name in ("one", "two")))
    lines = await applied.since(pool, 0)
    assert sorted(line.queues[0] for line in lines) == ["one", "two"]
    assert [line.id for line in lines] == sorted(line.id for line in lines)


async def test_a_change_over_the_api_at_the_same_time_comes_before_or_after(site: Path, dsn: str, pool: Pool) -> None:
    await told(dsn, site)
    (site / "site.toml").write_text('[[queues]]\nname = "support"\nnumbers = ["600"]\ntitle = "Applied"')
    async with transaction(pool) as c:
        await c.execute("SELECT FROM queues WHERE name = 'support' FOR UPDATE")
        running = asyncio.create_task(told(dsn, site))
        async with (
            asyncio.timeout(10),
            asyncpg.create_pool(dsn, min_size=1) as owner,
        ):  # who else waits, the service is not told
            while not await owner.fetchval(WAITS):  # noqa: ASYNC110  # Postgres tells nobody who waits
                await asyncio.sleep(0.01)
        await queues.put_in(c, Queue(name="support", numbers=("600", "601")))
    await running
    assert (await queues.get(pool, "support")).queue.title == "Applied"


async def test_a_refused_change_leaves_no_number_released(site: Path, dsn: str, pool: Pool) -> None:
    await told(dsn, site)
    other = site / "other.toml"
    other.write_text('[[queues]]\nname = "sales"\nnumbers = ["600"]')
    with pytest.raises(WrongFile) as error:
        await told(dsn, other)
    assert str(error.value) == f"{other}: queues[0].numbers: The queue support answers 600 already."
    found = await queues.by_number(pool, "602")
    assert found is not None and found[0].name == "sales"
