"""Carries out effects through ARI; implements `routing.engine.phones.Phones`. Events come back by `dialplan.listen`.

404 and 409 are understood here, once: a leg that is gone needs no more of what was asked, and an id that exists
already is ours, as nobody else chooses such ids.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine

import structlog

from dialplan import words
from dialplan.accounts import account_objects
from dialplan.ari.client import AriClient, Made
from dialplan.ari.errors import AriConflict, AriError, AriNotFound, AriUnavailable
from dialplan.ari.models import ConfigTuple
from ivr import prompts
from routing.core.effects import (
    AddToBridge,
    Answer,
    DestroyBridge,
    DialCustomer,
    Effect,
    HangUp,
    PlayPrompt,
    PlayRingback,
    Refusal,
    Refuse,
    RingAgent,
    SendBack,
    StartMusic,
    StopPrompt,
)
from routing.core.errors import Unavailable
from routing.core.events import LegDialled, LegGone, PromptFinished
from routing.engine.phones import KnownAtOnce, MayCall

log = structlog.get_logger()

STARTED_WITHIN = 2.0
"""Seconds a channel we made has to enter our application; before that it is not dialled (trap 4, `dialplan.ari`)."""

IN_APPLICATION = "Stasis"
"""What Asterisk says a channel is at; of one that was just created it says nothing (measured)."""
JUST_ENTERED = 0.05
"""Seconds within which the event comes, if it still comes, of a channel that is at it already."""

_CAUSES = {Refusal.UNKNOWN_NUMBER: words.UNKNOWN_NUMBER, Refusal.BUSY: words.BUSY}

SetUp = tuple[float, float]
"""Seconds it took until Asterisk had made a channel, and then until that was in our application."""


class _NotedAsDialled(Exception):
    """The channel was there, and its note says that it was dialled. Asterisk may have heard the note only."""


class AsteriskPhones:
    """`trunk` is the name of the endpoint that takes calls to customers."""

    def __init__(
        self, ari: AriClient, trunk: str = words.CARRIER, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ari = ari
        self._trunk = trunk
        self._monotonic = monotonic
        self._starting: dict[str, asyncio.Future[None]] = {}
        self._reserved: dict[str, asyncio.Task[SetUp]] = {}

    def started(self, leg: str) -> None:
        """A channel we created has entered our application."""
        if (waiter := self._starting.get(leg)) and not waiter.done():
            waiter.set_result(None)

    def expects(self, leg: str) -> bool:
        """Whether this leg is just being set up."""
        return leg in self._starting or leg in self._reserved

    async def perform(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        """Never raises for what the other side does; a refusal comes back as an event."""
        try:
            return await self._perform(effect, may_call)
        except AriNotFound:
            log.debug("leg is gone already", effect=type(effect).__name__)
        except AriError as error:
            log.warning("not performed", effect=type(effect).__name__, error=str(error))
        return None

    async def _perform(self, effect: Effect, may_call: MayCall) -> KnownAtOnce | None:
        channels = self._ari.channels
        match effect:
            case Answer(leg, interaction):
                await asyncio.gather(
                    channels.answer(leg),
                    channels.set_channel_var(leg, variable=words.INTERACTION_ID, value=interaction),
                )
            case Refuse(leg, why):
                await channels.hangup(leg, reason_code=str(_CAUSES[why]))
            case SendBack(leg):
                await channels.continue_in_dialplan(leg)
            case PlayPrompt():
                return await self._say(effect)
            case StopPrompt(_, say):
                await self._ari.playbacks.stop(say)
            case StartMusic(leg):
                await channels.start_moh(leg)
            case PlayRingback(leg):
                await channels.ring(leg)
            case RingAgent():
                return await self._ring_agent(effect, may_call)
            case DialCustomer():
                return await self._dial_customer(effect, may_call)
            case AddToBridge(bridge, legs):
                await self._join(bridge, legs)
            case DestroyBridge(bridge):
                await self._ari.bridges.destroy(bridge)
            case HangUp(leg):
                if reserved := self._reserved.pop(leg, None):
                    await asyncio.gather(reserved, return_exceptions=True)
                await channels.hangup(leg, reason="normal")
        return None

    async def _say(self, say: PlayPrompt) -> PromptFinished | None:
        try:
            media = prompts.media(say.words, say.language)
            await self._ari.channels.play_with_id(say.leg, say.playback, media=media)
        except AriConflict:
            log.debug("said already", say=say.playback)
        except (AriError, prompts.UnknownWord) as error:
            log.warning("prompt not played", words=say.words, error=str(error))
            return PromptFinished(say.leg, say.playback)
        return None

    async def _join(self, bridge: str, legs: tuple[str, ...]) -> None:
        """Music and tones stop before they meet. A caller whose answer got lost is answered now, at the latest."""
        channels = self._ari.channels
        try:
            await asyncio.gather(
                *(channels.answer(leg) for leg in legs),
                _anyway(self._ari.bridges.create_with_id(bridge, type="mixing")),
                *(_anyway(channels.stop_moh(leg)) for leg in legs),
                *(_anyway(channels.ring_stop(leg)) for leg in legs),
            )
            await self._ari.bridges.add_channel(bridge, channel=list(legs))
        except AriError as error:
            log.warning("not joined: hung up rather than left in silence", error=str(error))
            await asyncio.gather(*(_anyway(channels.hangup(leg)) for leg in legs))

    # Legs we make: created first, which reserves the id, and dialled once they are in our application

    async def _ring_agent(self, ring: RingAgent, may_call: MayCall) -> LegDialled | LegGone | None:
        variables = {
            words.FROM_NUMBER: ring.caller_id,
            words.FROM_NAME: "Ringback",
            words.INTERACTION_ID: ring.interaction,
        }
        if ring.auto_answer:
            variables["PJSIP_HEADER(add,Call-Info)"] = "<sip:ringback>;answer-after=0"
        create = self._create(ring.leg, f"PJSIP/{ring.agent}", variables)
        return await self._call_out(ring.leg, create, ring.timeout, may_call, to_agent=True)

    def reserve(self, call: DialCustomer) -> None:
        """Begin to create the customer's channel: no INVITE leaves before `perform` dials it. A decision that is
        tried again finds what it began."""
        before = self._reserved.get(call.leg)
        if before and not (before.done() and (before.cancelled() or before.exception())):
            return
        self._reserved[call.leg] = asyncio.create_task(self._create_customer(call), name="reserve")

    async def _dial_customer(self, call: DialCustomer, may_call: MayCall) -> KnownAtOnce | None:
        reserved = self._reserved.pop(call.leg, None)
        if call.made and not reserved:
            return await self._dial_made(call, may_call)
        return await self._call_out(call.leg, reserved or self._create_customer(call), call.timeout, may_call)

    async def _dial_made(self, call: DialCustomer, may_call: MayCall) -> LegDialled | None:
        """Of one that is gone the end is told by an event, or it is found missing."""
        if await self._noted_as_dialled(call.leg):
            log.info("noted as dialled", leg=call.leg)
            return None
        try:
            return await self._dial(call.leg, call.timeout) if may_call(call.leg) else None
        except AriConflict:
            return _dialled_already(call.leg)

    async def _noted_as_dialled(self, leg: str) -> bool:
        """Until the far end has said something, Asterisk would dial again, and the call would end. Earlier versions
        did not note it: most of their channels were dialled. Raises AriNotFound for a channel that is gone."""
        try:
            return (await self._ari.channels.get_channel_var(leg, variable=words.DIALLED)).value != words.NO
        except AriNotFound:
            await self._ari.channels.get(leg)
            return True

    def _create_customer(self, call: DialCustomer) -> Coroutine[object, object, SetUp]:
        variables = {
            words.FROM_NUMBER: call.caller_id,
            words.FROM_NAME: "",
            words.INTERACTION_ID: call.interaction,
        }
        return self._create(call.leg, words.dial_string(call.number, self._trunk), variables)

    async def _create(self, leg: str, endpoint: str, variables: dict[str, str]) -> SetUp:
        """The channel is in our application when this returns."""
        asked, noted = self._monotonic(), {**variables, words.DIALLED: words.NO}
        waiter = self._starting.setdefault(leg, asyncio.get_running_loop().create_future())
        try:
            request = self._ari.channels.create(
                endpoint=endpoint, app=words.APP, app_args=words.LEG, channel_id=leg, variables=noted
            )
            made = await self._ari.create_or_adopt(leg, request)
            created = self._monotonic()
            await _entered(made, waiter)
            if not made.created and await self._noted_as_dialled(leg):
                raise _NotedAsDialled
            return created - asked, self._monotonic() - created
        finally:
            self._starting.pop(leg, None)

    async def _call_out(
        self, leg: str, create: Awaitable[SetUp], seconds: float, may_call: MayCall, *, to_agent: bool = False
    ) -> LegDialled | LegGone | None:
        """No agent's phone is to blame for an Asterisk that does not answer, nor for a dial that may be lost."""
        try:
            created, started = await create
            if not may_call(leg):  # the process slept meanwhile, say, or the agent it is made for has left
                raise AriUnavailable("it is not to be made any more", f"dial {leg}", sent=False)
            asked = self._monotonic()
            dialled = await self._dial(leg, seconds)
            took = {"create": created, "start": started, "dial": self._monotonic() - asked}
            log.info("dialled", leg=leg, **{part: round(1000 * each, 2) for part, each in took.items()})
            return dialled
        except _NotedAsDialled:
            log.info("noted as dialled", leg=leg)
            return None
        except AriConflict:
            return _dialled_already(leg)
        except AriUnavailable as error:
            return _not_placed(leg, error, refused=not error.sent, lost=to_agent)
        except TimeoutError as error:
            return _not_placed(leg, error, refused=False, lost=to_agent)
        except AriError as error:
            return _not_placed(leg, error, refused=True)

    async def _dial(self, leg: str, seconds: float) -> LegDialled:
        """The INVITE does not wait until that is noted."""
        channels = self._ari.channels
        await asyncio.gather(
            channels.dial(leg, timeout=math.ceil(seconds)),
            _anyway(channels.set_channel_var(leg, variable=words.DIALLED, value=words.YES)),
        )
        return LegDialled(leg)

    # Agents' accounts

    async def provisioned(self) -> set[str]:
        """Whose are live, and the trunk. Raises Unavailable."""
        try:
            return {each.resource for each in await self._ari.endpoints.list_by_tech("PJSIP")}
        except AriError as error:
            raise Unavailable("Asterisk does not tell its SIP accounts.") from error

    async def provision(self, agent: str, ha1: str) -> None:
        """Make the account live. Raises Unavailable."""
        try:
            for kind, name, fields in account_objects(agent, ha1):
                await self._ari.asterisk.update_object("res_pjsip", kind, name, fields=_tuples(fields))
        except AriError as error:
            raise Unavailable("Asterisk does not take the SIP account.") from error

    async def withdraw_account(self, agent: str) -> None:
        """Remove the account; one that is not there is removed. Raises Unavailable."""
        for kind, name, _ in reversed(account_objects(agent, "")):
            try:
                await self._ari.asterisk.delete_object("res_pjsip", kind, name)
            except AriNotFound:
                log.debug("account was not there", agent=agent, kind=kind)
            except AriError as error:
                raise Unavailable("Asterisk does not remove the SIP account.") from error


def _dialled_already(leg: str) -> LegDialled:
    log.info("dialled already", leg=leg)
    return LegDialled(leg)


def _not_placed(leg: str, error: Exception, *, refused: bool, lost: bool = False) -> LegGone:
    """As far as we know; should the leg be there all the same, the core has it hung up."""
    log.warning("call not placed", leg=leg, error=str(error))
    return LegGone(leg, refused=refused, certain=False, lost=lost)


def _tuples(fields: dict[str, str]) -> list[ConfigTuple]:
    return [ConfigTuple(attribute=name, value=value) for name, value in fields.items()]


async def _entered(made: Made, waiter: "asyncio.Future[None]") -> None:
    """Until the channel is in our application, where it may be dialled. One that was there before us, or whose making
    was obeyed and not answered, may be in there already; of such a one no event may come any more."""
    inside = made.channel.dialplan.app_name == IN_APPLICATION
    try:
        async with asyncio.timeout(JUST_ENTERED if inside else STARTED_WITHIN):
            await waiter
    except TimeoutError:
        if made.created:
            raise


async def _anyway(request: Awaitable[object]) -> None:
    """What this asks for may be so already, or not be possible any more: both are fine."""
    try:
        await request
    except AriError as error:
        log.debug("not needed", error=str(error))
