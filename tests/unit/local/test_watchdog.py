"""While the service is gone, exactly the callers who wait for it are handed back to the dialplan."""

from typing import Any

from routing.local.up.watchdog import waiting_callers


def _channel(name: str, app: str = "Stasis", data: str = "ringback-00,call,600,+44791112345,allowed") -> Any:
    return {"id": name, "dialplan": {"app_name": app, "app_data": data}}


def test_a_caller_in_our_app_is_handed_back() -> None:
    assert waiting_callers([_channel("caller")], [], "ringback-00") == ["caller"]


def test_who_talks_is_left_alone_and_who_is_alone_in_a_bridge_is_not() -> None:
    channels = [_channel("caller"), _channel("agent"), _channel("alone")]
    bridges = [{"channels": ["caller", "agent"]}, {"channels": ["alone"]}]
    assert waiting_callers(channels, bridges, "ringback-00") == ["alone"]


def test_legs_we_made_other_shards_and_calls_in_the_dialplan_are_left_alone() -> None:
    channels = [
        _channel("leg", data="ringback-00,customer,0f3a"),
        _channel("other-shard", data="ringback-01,call,600,,allowed"),
        _channel("in-retry-loop", app="MusicOnHold", data="default,5"),
        {"id": "created", "dialplan": {}},
    ]
    assert waiting_callers(channels, [], "ringback-00") == []
