"""Bans as rows and over the API."""

import asyncio
import subprocess
import sys
from ipaddress import ip_address, ip_network

import pytest
from api_service import Service

from routing.core.bans import BAN, Ban
from routing.core.errors import NotFound
from routing.store import bans
from routing.store.database import Pool

FOUR, SIX = ip_network("203.0.113.5"), ip_network("2001:db8:1:2::/64")


async def test_a_ban_holds_for_an_hour_and_a_second_one_begins_it_anew(pool: Pool) -> None:
    await bans.ban(pool, [Ban(FOUR, "1001"), Ban(SIX, "<unknown>")])
    await pool.execute("UPDATE bans SET until = until - interval '10 minutes'")
    await bans.ban(pool, [Ban(FOUR, "1002")])
    left = await bans.in_force(pool)
    assert BAN - 5 < left[FOUR] <= BAN
    assert BAN - 605 < left[SIX] <= BAN - 600
    assert [(each.network, each.account) for each in await bans.listed(pool, limit=9)] == [
        (FOUR, "1002"),
        (SIX, "<unknown>"),
    ]


async def test_what_is_over_is_not_in_force_not_listed_and_forgotten(pool: Pool) -> None:
    await bans.ban(pool, [Ban(FOUR, "1001")])
    await pool.execute("UPDATE bans SET until = now()")
    assert (await bans.in_force(pool), await bans.listed(pool, limit=9)) == ({}, [])
    with pytest.raises(NotFound):
        await bans.lift(pool, ip_address("203.0.113.5"))
    await bans.ban(pool, [Ban(SIX, "1001")])
    assert await pool.fetchval("SELECT count(*) FROM bans") == 1


async def test_networks_with_phones_are_known_for_a_day(pool: Pool) -> None:
    await bans.phones_seen(pool, [FOUR])
    await pool.execute("UPDATE phone_networks SET seen_at = now() - interval '23 hours'")
    await bans.phones_seen(pool, [SIX])
    assert await bans.phone_networks(pool) == {FOUR, SIX}
    await pool.execute("UPDATE phone_networks SET seen_at = now() - interval '25 hours' WHERE network = $1", FOUR)
    assert await bans.phone_networks(pool) == {SIX}
    await bans.phones_seen(pool, [SIX])
    assert await pool.fetchval("SELECT count(*) FROM phone_networks") == 1


async def test_supervisors_list_bans_page_by_page_and_lift_them_by_address(service: Service, pool: Pool) -> None:
    await bans.ban(pool, [Ban(FOUR, "1001"), Ban(SIX, "<unknown>")])
    first = await service.ask("GET", "bans?limit=1", "supervisor")
    second = await service.ask("GET", f"bans?limit=1&cursor={first.body['next_cursor']}", "supervisor")
    shown = [*first.body["items"], *second.body["items"]]
    assert [each["address"] for each in shown] == ["203.0.113.5", "2001:db8:1:2::/64"]
    assert shown[0]["account"] == "1001" and shown[0]["until"] > shown[0]["since"]
    assert second.body["next_cursor"] is None
    for address in ("203.0.113.5", "2001:db8:1:2::77"):
        assert (await service.ask("DELETE", f"bans/{address}", "supervisor")).status == 204
        assert (await service.ask("DELETE", f"bans/{address}", "supervisor")).status == 404
    assert (await service.ask("GET", "bans", "admin")).body["items"] == []


async def test_agents_and_auditors_do_not_lift_bans_and_rubbish_is_refused(service: Service) -> None:
    await service.agent("1001")
    for who in ("1001", "auditor"):
        assert (await service.ask("DELETE", "bans/203.0.113.5", who)).status == 403
    assert (await service.ask("DELETE", "bans/everybody")).status == 404
    assert (await service.ask("GET", "bans?cursor=rubbish")).status == 422


async def test_bans_are_listed_and_lifted_on_the_command_line(dsn: str, pool: Pool) -> None:
    await bans.ban(pool, [Ban(FOUR, "1001")])
    listed = await ringback(dsn, "list")
    assert listed.stdout.startswith("203.0.113.5/32  ") and listed.stdout.endswith("UTC  guessed at 1001\n")
    assert (await ringback(dsn, "lift", "203.0.113.5")).stdout == "203.0.113.5 is let in again\n"
    refused = await ringback(dsn, "lift", "203.0.113.5")
    assert (refused.returncode, refused.stderr) == (2, "ringback: This address is not banned.\n")
    assert (await ringback(dsn, "list")).stdout == ""


async def ringback(dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "routing", "ban", *words]
    environment = {"RINGBACK_DATABASE_URL": dsn, "PATH": "/usr/bin"}
    return await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
