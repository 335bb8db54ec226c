"""What Asterisk says, as our events."""

import msgspec
import pytest

from dialplan import words
from dialplan.ari.connection import Snapshot
from dialplan.ari.events import Event, EventDecoder
from dialplan.ari.models import Application, Channel
from dialplan.listen import alive, arrival, event
from routing.core.events import CallerArrived, DigitPressed, LegAnswered, LegGone, LegRinging, PromptFinished
from routing.engine.phones import ChannelState

OURS = "0123456789abcdef0123456789abcdef"
CALLER = "1700000000.7"


def channel(id: str = CALLER, state: str = "Up", app_data: str = "") -> dict[str, object]:
    return {
        "id": id, "protocol_id": "x", "name": "PJSIP/carrier-1", "state": state,
        "caller": {"name": "Somebody", "number": "+49301"}, "connected": {"name": "", "number": ""},
        "accountcode": "", "creationtime": "2026-01-01T00:00:00.000+0000", "language": "en",
        "dialplan": {"context": "c", "exten": "600", "priority": 1, "app_name": "Stasis", "app_data": app_data},
    }  # fmt: skip


def heard(type_: str, **fields: object) -> object:
    return event(decoded(type_, **fields))


def decoded(type_: str, **fields: object) -> Event:
    base = {"type": type_, "application": words.APP, "timestamp": "2026-01-01T00:00:00.000+0000", "asterisk_id": "a"}
    read = EventDecoder().decode(msgspec.json.encode({**base, **fields}))
    assert read is not None and not isinstance(read, dict), read
    return read


def test_keys_prompts_and_states_become_events_of_their_leg() -> None:
    assert heard("ChannelDtmfReceived", channel=channel(), digit="2", duration_ms=40) == (
        CALLER,
        DigitPressed(CALLER, "2"),
    )
    playback = {"id": "p", "media_uri": "sound:x", "target_uri": f"channel:{CALLER}", "state": "done"}
    assert heard("PlaybackFinished", playback=playback) == (CALLER, PromptFinished(CALLER, "p"))
    assert heard("ChannelStateChange", channel=channel(OURS, "Ringing")) == (OURS, LegRinging(OURS))
    assert heard("ChannelStateChange", channel=channel(OURS, "Up")) == (OURS, LegAnswered(OURS))


@pytest.mark.parametrize("status", ["RINGING", "PROGRESS"])
def test_a_phone_is_alerted_by_a_180_or_a_183(status: str) -> None:
    assert heard("Dial", peer=channel(OURS), dialstatus=status) == (OURS, LegRinging(OURS))


def test_other_dial_states_say_nothing_new() -> None:
    assert heard("Dial", peer=channel(OURS), dialstatus="ANSWER") is None


def test_the_end_of_a_leg_brings_its_sip_status() -> None:
    gone = heard("ChannelDestroyed", channel=channel(OURS), cause=17, cause_txt="busy", tech_cause=486)
    assert gone == (OURS, LegGone(OURS, 486))


def test_a_caller_is_gone_when_the_channel_leaves_and_our_own_legs_when_they_are_destroyed() -> None:
    assert heard("StasisEnd", channel=channel()) == (CALLER, LegGone(CALLER))
    assert heard("StasisEnd", channel=channel(OURS)) is None


def test_a_snapshot_tells_who_is_there() -> None:
    data = f"{words.APP},call,600,+4930123456,allowed_passed_screen,"
    channels = [channel(app_data=data), channel(OURS, "Down"), channel("1700000000.9")]
    snapshot = Snapshot(
        msgspec.convert(channels, list[Channel]),
        [],
        Application(
            name=words.APP, channel_ids=[CALLER, OURS], bridge_ids=[], endpoint_ids=[], device_names=[],
            events_allowed=[], events_disallowed=[],
        ),
    )  # fmt: skip
    seen = alive(snapshot)
    assert seen.channels == {CALLER: ChannelState.UP, OURS: ChannelState.DOWN, "1700000000.9": ChannelState.UP}
    assert seen.ours == (OURS,)
    assert [each.leg for each in seen.callers] == [CALLER]


def test_a_caller_who_has_left_since_is_not_there_whatever_the_snapshot_says_and_what_they_did_is_known() -> None:
    data = f"{words.APP},call,600,+4930123456,allowed_passed_screen,"
    snapshot = Snapshot(
        msgspec.convert([channel(app_data=data)], list[Channel]),
        [],
        Application(
            name=words.APP, channel_ids=[CALLER], bridge_ids=[], endpoint_ids=[], device_names=[],
            events_allowed=[], events_disallowed=[],
        ),
    )  # fmt: skip
    waiting = [
        decoded("ChannelDtmfReceived", channel=channel(), digit="2", duration_ms=40),
        decoded("ChannelStateChange", channel=channel(OURS, "Up")),
        decoded("StasisEnd", channel=channel()),
    ]
    seen = alive(snapshot, waiting=waiting)
    assert seen.callers == ()
    assert seen.told == {CALLER: (DigitPressed(CALLER, "2"), LegGone(CALLER)), OURS: (LegAnswered(OURS),)}


def test_a_channel_that_is_no_call_is_passed_over() -> None:
    it = msgspec.convert(channel(), Channel)
    assert arrival(["something"], it) is None
    told = arrival(["call", "600", "+4930123456", "allowed_not_screened", ""], it)
    assert told == CallerArrived(CALLER, "600", "+4930123456", "Somebody", answered=True)
