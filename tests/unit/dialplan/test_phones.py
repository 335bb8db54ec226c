"""A channel whose making was obeyed and not answered is dialled once it is in our application."""

import asyncio
from typing import Any, TypeVar

import msgspec
import pytest
from test_ari_models import CHANNEL

from dialplan import phones as module
from dialplan import words
from dialplan.ari.client import AriClient
from dialplan.ari.errors import AriConflict, AriUnavailable
from dialplan.ari.models import Channel, Variable
from dialplan.ari.resources import Resources
from dialplan.phones import AsteriskPhones
from routing.core.effects import DialCustomer, RingAgent
from routing.core.events import LegDialled

T = TypeVar("T")
LEG = "0" * 31 + "1"


class Asterisk(AriClient):
    """Creates the channel and does not answer; `tells` is whether it says when the channel has entered."""

    def __init__(self, app_name: str, *, tells: bool) -> None:
        Resources.__init__(self, self)
        self.phones: AsteriskPhones
        self.dialled = 0
        self._app_name, self._tells = app_name, tells
        self._inside, self.noted = False, words.NO

    async def request(self, method: str, path: str, fields: dict[str, object], returns: type[T]) -> T:
        if path.endswith("/create"):
            asyncio.get_running_loop().call_later(0.02, self._enters)
            raise AriUnavailable("Server disconnected", "POST create", sent=True)
        if path.endswith("/variable"):
            return self._variable(method, fields)  # type: ignore[return-value]
        if path.endswith("/dial"):
            if not self._inside:
                raise AriConflict(409, "Channel in invalid state", "dial")
            self.dialled += 1
        return self._channel() if method == "GET" else None  # type: ignore[return-value]

    def _variable(self, method: str, fields: dict[str, object]) -> Variable | None:
        if method == "GET":
            return Variable(value=self.noted)
        self.noted = str(fields["value"])
        return None

    def _channel(self) -> Any:
        dialplan = {**CHANNEL["dialplan"], "app_name": self._app_name}  # type: ignore[dict-item]
        return msgspec.convert({**CHANNEL, "id": LEG, "state": "Down", "dialplan": dialplan}, Channel)

    def _enters(self) -> None:
        self._inside = True
        if self._tells:
            self.phones.started(LEG)


@pytest.mark.parametrize(
    "effect",
    [DialCustomer(LEG, "1", "+4915112345678", "600", 30.0), RingAgent(LEG, "1", "1001", "x", 20.0)],
    ids=["customer", "agent"],
)
@pytest.mark.parametrize(("app_name", "tells"), [("", True), ("Stasis", True), ("Stasis", False), ("", False)])
async def test_a_channel_that_was_adopted_is_dialled_when_it_has_entered(
    effect: DialCustomer | RingAgent, app_name: str, tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTED_WITHIN", 0.1)
    asterisk = Asterisk(app_name, tells=tells)
    asterisk.phones = AsteriskPhones(asterisk)
    assert (await asterisk.phones.perform(effect, lambda _: True), asterisk.dialled) == (LegDialled(LEG), 1)


@pytest.mark.parametrize(
    "effect",
    [
        DialCustomer(LEG, "1", "+4915112345678", "600", 30.0, made=True),
        DialCustomer(LEG, "1", "+4915112345678", "600", 30.0),
        RingAgent(LEG, "1", "1001", "x", 20.0),
    ],
    ids=["customer, made before", "customer", "agent"],
)
@pytest.mark.parametrize(("noted", "dialled", "told"), [(words.NO, 1, LegDialled(LEG)), (words.YES, 0, None)])
async def test_a_channel_that_was_there_is_dialled_unless_it_was_before(
    effect: DialCustomer | RingAgent,
    noted: str,
    dialled: int,
    told: LegDialled | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asterisk would do it a second time, and the call would end. Whether it really was, nobody knows."""
    monkeypatch.setattr(module, "STARTED_WITHIN", 0.1)
    asterisk = Asterisk("Stasis", tells=False)
    asterisk.phones, asterisk.noted = AsteriskPhones(asterisk), noted
    asterisk._enters()
    assert (await asterisk.phones.perform(effect, lambda _: True), asterisk.dialled) == (told, dialled)
    assert asterisk.noted == words.YES
