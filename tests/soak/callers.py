"""Callers: they leave, wait, ask to be called back, or say nothing; and they answer, or not, when called."""

import asyncio
import itertools

from demo.sip import policy
from demo.sip.call import Call
from demo.sip.carrier import Phone
from demo.sip.errors import CallFailed, SipTimeout
from demo.sip.incoming import IncomingCall
from demo.sip.outgoing import OutgoingCall
from routing.local.asterisk.prompts import TONES
from tests.soak.world import DNIS, SOON, World

EVERY = 4.0
"""Seconds between two callers, on average."""
MOST = 15
"""Calls at once: with more, a machine that is slow for a while would only get slower."""
ACTS = {"leaves": 2, "waits": 4, "asks": 6, "asks and leaves at once": 2, "says nothing": 1}
CUSTOMERS = [
    *(policy.answer(after=after) for after in (0.2, 1.0, 2.0, 3.0)),
    policy.progress(),
    policy.ring(),
    policy.reject(486, after=0.5),
    policy.reject(404),
]
"""What a customer's phone does when it is called: most lift, one gives early media and one rings for ever."""
AGENT = 350
FORGETS_AFTER = 600.0
"""Seconds a customer stays by the phone for a call that was promised."""


async def come_and_go(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for n in itertools.count():
            if await world.over(world.dice.expovariate(1 / EVERY)):
                return
            if len(world.live) >= MOST:
                world.done["callers who did not call"] += 1
                continue
            group.create_task(world.without_trouble(one(world, n)))


async def one(world: World, n: int) -> None:
    phone = world.stage.carrier.phone(f"+49151{n:08}", world.dice.choice(CUSTOMERS), tone=450)
    call = await phone.call(DNIS)
    with world.up(call):
        world.auditor.follow(phone.number, call)
        await call.answered(SOON)
        world.done["calls in"] += 1
        asked = await goes_through_it(world, call)
    if asked:
        await is_called_back(world, phone)


async def goes_through_it(world: World, call: OutgoingCall) -> bool:
    """Whether a call back was asked for."""
    act = world.dice.choices([*ACTS], [*ACTS.values()])[0]
    try:
        if (await call.hear_any({TONES["menu-offer"], AGENT}, SOON)).frequency == AGENT:
            act = "is served at once"
        world.done[f"who {act}"] += 1
        match act:
            case "waits":
                await call.dtmf("1")
                await waits(world, call)
            case "asks":
                await call.dtmf("2")
                await call.hear(TONES["confirm-number"], SOON)
                await call.hear(TONES["booked"], SOON)
                world.done["promises"] += 1
            case "asks and leaves at once":
                await call.dtmf("2")
            case "is served at once":
                await talks(world)
            case "leaves":
                world.done["abandoned"] += 1
            case "says nothing":
                world.done["abandoned"] += 1
                await world.over(world.dice.uniform(2, 12))
        await call.hangup(SOON)
    except CallFailed:
        world.done["calls that were over meanwhile"] += 1
    return act.startswith("asks")


async def waits(world: World, call: OutgoingCall) -> None:
    """For an agent, but not for ever."""
    try:
        await call.hear(AGENT, world.dice.uniform(3, 20))
    except SipTimeout:
        world.done["abandoned"] += 1
    else:
        await talks(world)


async def talks(world: World) -> None:
    world.done["talks"] += 1
    await world.over(world.dice.uniform(1, 8))


async def is_called_back(world: World, phone: Phone) -> None:
    """Sometimes twice: an agent may dial again."""
    for _ in range(2):
        try:
            back = await is_called(world, phone)
        except SipTimeout:
            return
        world.done["dials"] += 1
        with world.up(back):
            await answers(world, back)


async def is_called(world: World, phone: Phone) -> IncomingCall:
    """Nobody stays by the phone when the soak is over. Raises SipTimeout."""
    call = asyncio.ensure_future(phone.incoming(FORGETS_AFTER))
    ending = asyncio.ensure_future(world.ending.wait())
    await asyncio.wait([call, ending], return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not call.done():
        call.cancel()
        raise SipTimeout("the soak is over")
    return call.result()


async def answers(world: World, back: Call) -> None:
    try:
        await back.hear(AGENT, SOON)
        await talks(world)
        if world.dice.random() < 0.5:
            await back.hangup(SOON)
        else:
            await back.ended(SOON)
    except CallFailed:
        world.done["calls back that came to nothing"] += 1
