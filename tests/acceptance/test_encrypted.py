"""SIP over TLS and SRTP: an agent's phone on a plain trunk, and a trunk that speaks nothing else."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from demo.folder import enterable_folder
from demo.sip.agent import SipAgent
from demo.sip.carrier import Carrier
from demo.sip.errors import SipTimeout
from demo.sip.tls import Tls
from demo.stage import Stage, open_stage
from routing.local.asterisk import prompts
from routing.local.asterisk.prompts import TONES
from routing.local.system import certificates
from tests.calls.desk import hear_each_other, offered, talk
from tests.calls.line import FAST, Line

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def encrypted() -> AsyncIterator[Stage]:
    """A Ringback whose trunk is `sips:`."""
    with enterable_folder("tls") as home:
        certificates.own(home / "carrier", ["127.0.0.1"])
        tones = prompts.tones(home / "tones")
        async with open_stage(home / "data", sounds=tones, trunk_tls=home / "carrier") as stage:
            await stage.queue("support", "600", **FAST)
            yield stage


async def test_an_agent_s_phone_over_tls_takes_a_callback_by_srtp_and_both_hear_each_other(line: Line) -> None:
    agent = await line.agent(tls=True)
    talking = await talk(line, agent)
    assert talking.offer.media.encrypted
    assert not talking.back.media.encrypted
    assert talking.offer.invite.headers["Via"].startswith("SIP/2.0/TLS ")


async def test_an_agent_s_phone_without_srtp_is_served_as_ever(line: Line) -> None:
    _, _, offer = await offered(line, await line.agent())
    assert b"RTP/AVP" in offer.invite.body
    offer.answer()
    assert not offer.media.encrypted


async def test_a_phone_that_does_not_know_who_issued_the_certificate_does_not_connect(line: Line) -> None:
    with tempfile.TemporaryDirectory(prefix="rb-other-", dir="/tmp") as folder:
        certificates.own(Path(folder), ["127.0.0.1"])
        trust = Tls.trusting(Path(folder) / "ca.crt")
    async with SipAgent("1001", "127.0.0.1", line.stage.ports.sip_tls, "a-password", tls=trust) as phone:
        with pytest.raises(SipTimeout):
            await phone.register(within=0.5)


async def test_over_an_encrypted_trunk_a_caller_asks_for_a_callback_and_gets_it(encrypted: Stage) -> None:
    agent = await encrypted.worker("1001", "support", tls=True)
    customer = encrypted.carrier.phone("+4915112345678", tone=450)
    call = await customer.call("600")
    await call.answered()
    assert call.media.encrypted
    await call.hear(TONES["menu-offer"])
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"])
    await call.hangup()
    await encrypted.when(customer.number, status="open", subtype="callback")

    await agent.ready()
    offer = await agent.phone.incoming()
    offer.answer()
    back = await customer.incoming()
    assert b"RTP/SAVP" in back.invite.body
    back.answer()
    await hear_each_other(offer, back)
    assert offer.media.encrypted and back.media.encrypted
    assert back.invite.headers["Via"].startswith("SIP/2.0/TLS ")
    await encrypted.when(customer.number, stage="talking")
    await back.hangup()
    await offer.ended()
    assert len(customer.invites) == 1


async def test_a_trunk_with_another_s_certificate_is_not_spoken_to(encrypted: Stage) -> None:
    """In the carrier's place somebody whose certificate nobody we trust has issued: the customer is not dialled."""
    agent = await encrypted.worker("1002", "support", tls=True)
    customer = encrypted.carrier.phone("+4915112345679", tone=450)
    call = await customer.call("600")
    await call.hear(TONES["menu-offer"])
    await call.dtmf("2")
    await call.hear(TONES["confirm-number"])
    await call.hangup()
    await encrypted.when(customer.number, status="open", subtype="callback")
    await encrypted.carrier.close()
    ports = encrypted.ports
    with tempfile.TemporaryDirectory(prefix="rb-other-", dir="/tmp") as folder:
        made = certificates.own(Path(folder), ["127.0.0.1"])
        tls = Tls.trusting(encrypted.authority, chain=made.chain, key=made.key)
    async with Carrier("127.0.0.1", ports.carrier, asterisk=("127.0.0.1", ports.sip_tls), tls=tls) as stranger:
        await agent.ready()
        (await agent.phone.incoming()).answer()
        found = await encrypted.when(customer.number, stage="ready_to_call")
        assert stranger.invites == []
        assert [each["outcome"] for each in found["attempts"]] != ["answered"]
    await encrypted.carrier.open()
