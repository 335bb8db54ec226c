"""The generated ARI models, the decoder that uses them and the generator that writes them."""

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from dialplan.ari import generate, models, swagger
from dialplan.ari.events import EventDecoder

CHANNEL = {
    "id": "1c0ffee0",
    "protocol_id": "",
    "name": "PJSIP/carrier-00000001",
    "state": "Up",
    "caller": {"name": "", "number": ""},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "x", "exten": "s", "priority": 1, "app_name": "Stasis", "app_data": "ringback-00"},
    "creationtime": "2026-11-20T12:54:14.830+0000",
    "language": "en",
    "channelvars": {"INTERACTION_ID": "abc"},
}
STASIS_START = {
    "type": "StasisStart",
    "application": "ringback-00",
    "timestamp": "2026-11-20T12:54:14.830+0000",
    "asterisk_id": "02:fc:00:00:00:01",
    "args": ["sales"],
    "channel": CHANNEL,
}


def decode(event: object) -> tuple[object, EventDecoder]:
    decoder = EventDecoder()
    return decoder.decode(json.dumps(event).encode()), decoder


def test_an_event_becomes_its_own_type() -> None:
    event, decoder = decode(STASIS_START)
    assert isinstance(event, models.StasisStart)
    assert event.channel.channelvars == {"INTERACTION_ID": "abc"}
    assert event.args == ["sales"]
    assert decoder.odd == 0


def test_every_event_of_the_swagger_files_has_a_type() -> None:
    names = {kind.__name__ for kind in get_args(models.AnyEvent)}
    assert len(names) == 46
    assert {"StasisStart", "ChannelDestroyed", "Dial", "PlaybackFinished", "ApplicationReplaced"} <= names


def test_an_unknown_event_is_passed_on_as_a_dict() -> None:
    event, decoder = decode({"type": "ChannelTeleported", "where": 7})
    assert event == {"type": "ChannelTeleported", "where": 7}
    assert decoder.odd == 1


def test_an_event_without_a_required_field_is_passed_on_as_a_dict() -> None:
    event, decoder = decode({"type": "StasisEnd", "application": "ringback-00"})
    assert event == {"type": "StasisEnd", "application": "ringback-00"}
    assert decoder.odd == 1


def test_a_new_field_does_no_harm_and_is_said_once_per_type(capsys: pytest.CaptureFixture[str]) -> None:
    decoder = EventDecoder()
    message = json.dumps({**STASIS_START, "mood": "sunny"}).encode()
    assert isinstance(decoder.decode(message), models.StasisStart)
    assert isinstance(decoder.decode(message), models.StasisStart)
    assert capsys.readouterr().out.count("mood") == 1


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"null"])
def test_what_is_no_json_object_is_dropped_and_counted(message: bytes) -> None:
    decoder = EventDecoder()
    assert decoder.decode(message) is None
    assert decoder.odd == 1


def test_a_field_that_is_a_python_keyword_keeps_its_name_on_the_wire() -> None:
    text = models.TextMessage(from_="a", to="b", body="c", variables=None)
    assert msgspec.to_builtins(text)["from"] == "a"


def test_nicknames_become_snake_case() -> None:
    assert [swagger.snake(name) for name in ("addChannel", "sendDTMF", "inhibitConnectedLineUpdates")] == [
        "add_channel",
        "send_dtmf",
        "inhibit_connected_line_updates",
    ]


def test_the_generator_writes_classes_python_accepts(tmp_path: Path) -> None:
    write_swagger(tmp_path)
    api = swagger.read(tmp_path)
    rendered = generate.render_models(api, "22.10.1")
    namespace: dict[str, object] = {}
    exec(rendered, namespace)
    assert {"Message", "Event", "Rang", "Thing", "AnyEvent"} <= namespace.keys()
    assert "Asterisk 22.10.1 (ARI 9.9.9)" in rendered


def test_the_generator_writes_one_typed_method_per_request(tmp_path: Path) -> None:
    write_swagger(tmp_path)
    rendered = generate.render_resources(swagger.read(tmp_path), "22.10.1")
    compile(rendered, "resources.py", "exec")
    assert "async def say_hello(self, thing_id: str, *, loud: bool | None = None) -> models.Thing:" in rendered
    assert "404 No such thing" in rendered
    assert "event_websocket" not in rendered


def write_swagger(directory: Path) -> None:
    """The smallest API with a resource, a model used before it is defined, and an event."""
    hello = {
        "nickname": "sayHello",
        "httpMethod": "POST",
        "summary": "Says hello.",
        "responseClass": "Thing",
        "parameters": [
            {"name": "loud", "paramType": "query", "dataType": "boolean", "required": False},
            {"name": "thingId", "paramType": "path", "dataType": "string", "required": True},
        ],
        "errorResponses": [{"code": 404, "reason": "No such thing."}],
    }
    websocket = {**hello, "nickname": "eventWebsocket", "upgrade": "websocket"}
    required = {"type": "string", "required": True}
    api = {
        "apis": [{"path": "/things/{thingId}/hello", "operations": [hello, websocket]}],
        "models": {
            "Message": {"properties": {"type": required}, "subTypes": ["Event"]},
            "Event": {"properties": {"application": required}, "subTypes": ["Rang"]},
            "Rang": {"properties": {"thing": {"type": "Thing", "required": True}}},
            "Thing": {"properties": {"from": required, "tags": {"type": "List[string]"}}},
        },
    }
    (directory / "things.json").write_text(json.dumps(api))
    index = {"apiVersion": "9.9.9", "apis": [{"path": "/api-docs/things.{format}"}]}
    (directory / "resources.json").write_text(json.dumps(index))
