"""Turns what the events websocket says into `models`; whatever is new or odd is passed on as a dict."""

from typing import Any

import msgspec
import structlog

from dialplan.ari.models import AnyEvent

Event = AnyEvent | dict[str, Any]

log = structlog.get_logger(__name__)


class EventDecoder:
    """Never raises: a newer Asterisk may send types and fields these models do not know."""

    def __init__(self) -> None:
        self.odd = 0
        self._decoder = msgspec.json.Decoder(AnyEvent)
        self._checked: set[type] = set()

    def decode(self, message: bytes) -> Event | None:
        """None when it is not even a JSON object. Oddities are counted in `odd` and logged."""
        try:
            event: AnyEvent = self._decoder.decode(message)
        except msgspec.DecodeError as error:
            return self._odd(message, str(error))
        if type(event) not in self._checked:
            self._note_new_fields(event, message)
        return event

    def _odd(self, message: bytes, why: str) -> dict[str, Any] | None:
        self.odd += 1
        try:
            event = msgspec.json.decode(message, type=dict[str, Any])
        except msgspec.DecodeError:
            log.warning("ari event is not JSON", size=len(message))
            return None
        log.warning("ari event not in our models", type=event.get("type"), why=why)
        return event

    def _note_new_fields(self, event: AnyEvent, message: bytes) -> None:
        """Fields without a place in the model are dropped; said once per type, at no cost afterwards."""
        self._checked.add(type(event))
        known = {field.encode_name for field in msgspec.structs.fields(event)} | {"type"}
        if new := msgspec.json.decode(message, type=dict[str, Any]).keys() - known:
            log.info("ari event has fields not in our models", type=type(event).__name__, fields=sorted(new))
