"""OPTIONS, as carriers send them to know whether anybody is there: to Asterisk, and inside calls that are up."""

import secrets

from demo.sip.address import Uri
from demo.sip.call import Call
from demo.sip.dialog import Dialog, new_tag
from demo.sip.message import Request
from demo.sip.useragent import NO_ANSWER, UserAgent
from tests.soak.world import World

EVERY = 1.0
GONE = 481
"""The call had ended by then."""


async def ping(world: World) -> None:
    while not await world.over(EVERY):
        await _outside(world)


async def ping_inside(world: World) -> None:
    while not await world.over(EVERY):
        running = [call for call in world.live if call.end is None and call.answered_at]
        if running:
            await _inside(world, world.dice.choice(running))


async def _outside(world: World) -> None:
    carrier = world.stage.carrier
    asked = await carrier.ua.ask(lambda: _options(carrier.ua, carrier.asterisk), carrier.asterisk)
    world.done["pings"] += 1
    if asked.status != 200:
        world.complaints.append(f"OPTIONS: {asked.status}")


async def _inside(world: World, call: Call) -> None:
    answer = await call.ua.ask(lambda: call.dialog.request("OPTIONS"), call.dialog.next_hop)
    over = call.end is not None and answer.status in (GONE, NO_ANSWER)
    world.done["pings of a call just over" if over else "pings inside calls"] += 1
    if answer.status != 200 and not over:
        world.complaints.append(f"OPTIONS inside a call: {answer.status}\n{call.trace()}")


def _options(ua: UserAgent, asterisk: tuple[str, int]) -> Request:
    there = str(Uri("", *asterisk))
    dialog = Dialog(
        call_id=f"{secrets.token_hex(10)}@{ua.host}",
        local=f"<{Uri('ping', ua.host, ua.port)}>;tag={new_tag()}",
        remote=f"<{there}>",
        contact=ua.contact("ping"),
        target=there,
    )
    return dialog.request("OPTIONS")
