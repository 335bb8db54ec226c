"""Offers and answers: demo.sip.sdp."""

import pytest

from demo.sip import sdp
from demo.sip.sdp import PCMA, PCMU, Direction, Sdp

OFFER = """v=0
o=- 1 2 IN IP4 10.0.0.9
s=Asterisk
c=IN IP4 127.0.0.1
t=0 0
m=video 9000 RTP/AVP 99
m=audio 10020 RTP/AVP 9 8 0 96
a=rtpmap:9 G722/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
"""


def parsed(text: str) -> Sdp:
    found = sdp.parse(text.encode())
    assert found is not None
    return found


def test_the_audio_stream_is_found_among_others() -> None:
    offer = parsed(OFFER)
    assert (offer.host, offer.port, offer.codecs, offer.dtmf) == ("127.0.0.1", 10020, (9, 8, 0), 96)
    assert (offer.codec, offer.direction, offer.holds) == (PCMA, Direction.SENDRECV, False)


def test_what_is_rendered_reads_the_same() -> None:
    ours = Sdp("127.0.0.1", 4000, direction=Direction.SENDONLY)
    assert sdp.parse(ours.render()) == ours


def test_the_answer_takes_the_first_codec_we_speak_and_their_digit_type() -> None:
    answer = parsed(OFFER).answer("127.0.0.1", 5000)
    assert answer is not None
    assert (answer.codecs, answer.dtmf, answer.port) == ((PCMA,), 96, 5000)


def test_no_codec_in_common_means_no_answer() -> None:
    assert parsed(OFFER.replace(" 9 8 0 96", " 9 96")).answer("127.0.0.1", 5000) is None


@pytest.mark.parametrize(
    ("theirs", "ours", "while_holding"),
    [
        ("sendrecv", Direction.SENDRECV, Direction.SENDONLY),
        ("sendonly", Direction.RECVONLY, Direction.INACTIVE),
        ("recvonly", Direction.SENDONLY, Direction.SENDONLY),
        ("inactive", Direction.INACTIVE, Direction.INACTIVE),
    ],
)
def test_directions_are_answered_in_kind(theirs: str, ours: Direction, while_holding: Direction) -> None:
    offer = parsed(f"{OFFER}a={theirs}\n")
    plain, holding = offer.answer("127.0.0.1", 1), offer.answer("127.0.0.1", 1, hold=True)
    assert plain is not None and holding is not None
    assert (plain.direction, holding.direction) == (ours, while_holding)


@pytest.mark.parametrize("mark", ["a=sendonly\n", "a=inactive\n", "c=IN IP4 0.0.0.0\n"])
def test_every_way_to_hold_is_recognised(mark: str) -> None:
    assert parsed(OFFER + mark).holds


@pytest.mark.parametrize("text", ["", "v=0\r\n", "m=audio nonsense\r\n", "m=video 1 RTP/AVP 99\r\n"])
def test_no_audio_is_none(text: str) -> None:
    assert sdp.parse(text.encode()) is None


def test_a_plain_offer_is_pcmu_first() -> None:
    assert Sdp("127.0.0.1", 1).codec == PCMU
