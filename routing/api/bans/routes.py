"""Addresses that guessed SIP passwords and are shut out by the firewall: who they are, and letting one in again."""

from ipaddress import ip_address, ip_network

from routing.api.bans import answers
from routing.api.context import Call
from routing.api.http.page import Page, Paged
from routing.api.http.route import SUPERVISORS, Route
from routing.core.errors import Invalid, NotFound
from routing.store import bans


async def list_bans(call: Call) -> Page[answers.Ban]:
    """Who is shut out now, by address."""
    asked = call.query(Paged)
    found = await bans.listed(call.pool, limit=asked.limit + 1, after=_network(asked.cursor))
    shown = [answers.Ban(_text(each), each.account, each.since, each.until) for each in found[: asked.limit]]
    return Page(shown, str(found[asked.limit - 1].network) if len(found) > asked.limit else None)


async def lift_ban(call: Call) -> None:
    """Let an address in again, within a second. Of IPv6 any address of the network that is banned will do."""
    try:
        address = ip_address(call.path("address"))
    except ValueError:
        raise NotFound("This is not an IP address.") from None
    await bans.lift(call.pool, address)


def _text(ban: bans.Banned) -> str:
    whole = ban.network.num_addresses == 1
    return str(ban.network.network_address if whole else ban.network)


def _network(cursor: str | None) -> str | None:
    try:
        return cursor and str(ip_network(cursor))
    except ValueError:
        raise Invalid("This is not a cursor of this list.", "/cursor") from None


ROUTES = (
    Route("GET", "/bans", list_bans, SUPERVISORS, Page[answers.Ban], query=Paged, codes=("invalid",)),
    Route("DELETE", "/bans/{address}", lift_ban, SUPERVISORS, codes=("not_found",)),
)
