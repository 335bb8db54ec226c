"""A simulated Asterisk as it was measured to behave: what it answers, in which order it tells, what it loses.

Channels and bridges, one application, and the far ends' side: who is called hears of it through `People`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dialplan import words
from dialplan.ari import models
from dialplan.ari.errors import AriConflict, AriError, AriNotFound
from tests.simulation.ari import SimulatedAri, Socket
from tests.simulation.world import World

TIME = "2026-03-04T09:00:00.000+0000"
NOBODY = models.CallerID(name="", number="")
ASKS_AGAIN = 5.0
"""Seconds after which the dialplan's waiting loop asks for the service again."""


class People(Protocol):
    """The far ends."""

    def called(self, channel: "Channel") -> None: ...
    def hears(self, channel: "Channel", said: tuple[str, ...]) -> None: ...
    def joined(self, channel: "Channel") -> None: ...
    def ended(self, channel: "Channel") -> None: ...


class Witness(Protocol):
    """The auditor, as far as it watches what Asterisk is told."""

    def connected(self, ari: SimulatedAri, asked_at: float) -> None: ...
    def commanded(self, ari: SimulatedAri, sent_at: float, what: str, channel: "Channel") -> None: ...
    def invited(self, ari: SimulatedAri, sent_at: float, channel: "Channel") -> None: ...
    def played(self, channel: "Channel", said: tuple[str, ...]) -> None: ...
    def bridged(self, channels: list["Channel"]) -> None: ...
    def sent_back(self) -> None: ...
    def reached(self, socket: Socket, event: models.AnyEvent) -> None: ...
    def answered(self, channel: "Channel") -> None: ...
    def made_again(self, leg: str) -> None: ...


@dataclass(eq=False)
class Channel:
    id: str
    role: str  # caller, agent, customer
    party: str
    state: str = "Down"
    app_data: str = ""
    inside: bool = False
    entered: bool = False
    dialled: bool = False
    alive: bool = True
    music: bool = False
    tone: bool = False
    bridge: str | None = None
    given_back_by: int | None = None
    playing: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    silent_since: float | None = None
    alone_since: float | None = None
    since: float | None = None
    variables: dict[str, str] = field(default_factory=lambda: {words.DIALLED: words.NO})

    @property
    def hears_something(self) -> bool:
        return not self.inside or self.music or self.tone or bool(self.playing) or self.bridge is not None

    def model(self) -> models.Channel:
        at = "Stasis" if self.entered else ""  # of one that was just created it says nothing (measured)
        place = models.DialplanCEP(context="from-carrier", exten="s", priority=1, app_name=at, app_data=self.app_data)
        return models.Channel(
            id=self.id,
            protocol_id=self.id,
            name=f"PJSIP/{self.party}",
            state=self.state,
            caller=NOBODY,
            connected=NOBODY,
            accountcode="",
            dialplan=place,
            creationtime=TIME,
            language="en",
        )


class Asterisk:
    """`registered` are the agents whose phones are there; `disorder`, `slow`, `losing`, `odd` are faults."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people: People
        self.witness: Witness
        self.up = True
        self.life = 1
        self.disorder = 0.0
        self.slow = 0.0
        self.losing = 0.0
        self.odd = 0.0
        self.never_ends = 0.0
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, list[Channel]] = {}
        self.registered: set[str] = set()
        self.app: Socket | None = None
        self._stale_conflicts = 0

    # Knobs

    def latency(self) -> float:
        usual = self.world.between(0.0002, 0.002)
        return usual + (self.world.between(0.0, self.slow) if self.slow and self.world.chance(0.3) else 0.0)

    def loses(self) -> str | None:
        """Whether a request gets lost on its way, or its answer."""
        if not self.world.chance(self.losing):
            return None
        return "request" if self.world.chance(0.5) else "answer"

    # The application

    def register(self, socket: Socket) -> None:
        before, self.app = self.app, socket
        self.world.log(f"{socket.runner.name} has the application")
        if before:
            before.send(models.ApplicationReplaced(application=words.APP, timestamp=TIME))

    def left(self, socket: Socket) -> None:
        if self.app is socket:
            self.app = None

    def forsake(self, runner: object) -> None:
        """Its sockets close, as the process died."""
        if self.app and self.app.runner is runner:
            self.app = None

    def tell(self, channel: Channel, event: models.AnyEvent) -> None:
        if self.app:
            self.app.send(event)
        else:
            self.world.log(f"nobody hears {type(event).__name__} of {_short(channel)}")

    def crash(self) -> None:
        """All calls are gone, and so is what it was told."""
        self.world.log("asterisk crashes")
        self.up = False
        for channel in list(self.channels.values()):
            self._remove(channel)
        self.bridges.clear()
        if self.app:
            self.app.cut()
            self.app = None

    def start(self) -> None:
        self.world.log("asterisk is up")
        self.up = True
        self.life += 1

    # What the service asks for

    def obey(self, ari: SimulatedAri, sent_at: float, method: str, path: str, fields: Mapping[str, Any]) -> Any:
        """Raises what the client would make of Asterisk's refusal."""
        request = f"{method} {path}"
        match [method, *path.strip("/").split("/")]:
            case ["GET", "channels"]:
                return [each.model() for each in self.channels.values()]
            case ["GET", "channels", channel]:
                return self._find(channel, request).model()
            case ["GET", "bridges"]:
                return [_bridge(name, members) for name, members in self.bridges.items()]
            case ["GET", "asterisk", "info"]:
                return models.AsteriskInfo(
                    status=models.StatusInfo(startup_time=f"life {self.life}", last_reload_time="")
                )
            case ["GET", "applications", _]:
                return self._application(request)
            case ["POST", "channels", "create"]:
                return self._create(ari, sent_at, fields, request)
            case ["POST", "channels", channel, "dial"]:
                return self._dial(ari, sent_at, self._find(channel, request), fields, request)
            case ["DELETE", "channels", channel]:
                return self._hang_up(ari, sent_at, self._find(channel, request), refused="reason_code" in fields)
            case ["POST", "channels", channel, "play", name]:
                return self._play(ari, sent_at, self._inside(channel, request), name, fields, request)
            case ["GET", "channels", channel, "variable"]:
                return models.Variable(value=self._find(channel, request).variables[str(fields["variable"])])
            case ["POST", "channels", channel, "variable"]:
                return self._set_variable(ari, sent_at, self._inside(channel, request), fields)
            case [_, "channels", channel, *what]:
                return self._simple(ari, sent_at, self._inside(channel, request), method, what)
            case ["DELETE", "playbacks", name]:
                return self._stop(ari, sent_at, name, request)
            case ["POST", "bridges", name]:
                self.bridges.setdefault(name, [])
                return _bridge(name, self.bridges[name])
            case ["POST", "bridges", name, "addChannel"]:
                return self._add(ari, sent_at, name, fields, request)
            case ["DELETE", "bridges", name]:
                return self._destroy(ari, sent_at, name, request)
            case ["PUT" | "DELETE", "asterisk", *_]:
                return [] if method == "PUT" else None
            case _:
                raise AssertionError(f"the simulated Asterisk does not know {request}")

    def _find(self, channel: str, request: str) -> Channel:
        if found := self.channels.get(channel):
            return found
        raise AriNotFound(404, "Channel not found", request)

    def _inside(self, channel: str, request: str) -> Channel:
        found = self._find(channel, request)
        if not found.inside:
            raise AriConflict(409, "Channel not in Stasis application", request)
        return found

    def _application(self, request: str) -> models.Application:
        if self.app is None:
            raise AriNotFound(404, "Application not found", request)
        inside = [each.id for each in self.channels.values() if each.inside]
        return models.Application(
            name=words.APP,
            channel_ids=inside,
            bridge_ids=[],
            endpoint_ids=[],
            device_names=[],
            events_allowed=[],
            events_disallowed=[],
        )

    def _create(self, ari: SimulatedAri, sent_at: float, fields: Mapping[str, Any], request: str) -> models.Channel:
        name = fields["channelId"]
        if name in self.channels:
            self._stale_conflicts = 1
            raise AriConflict(409, "Channel with given unique ID already exists", request)
        party, _, trunk = fields["endpoint"].removeprefix("PJSIP/").partition("@")
        if not trunk and party not in self.registered:
            if self._stale_conflicts and self.world.chance(0.5):
                self._stale_conflicts = 0
                raise AriConflict(409, "Channel with given unique ID already exists", request)
            raise AriError(500, "Allocation failed", request)
        channel = Channel(name, "customer" if trunk else "agent", party, variables=dict(fields["variables"]))
        channel.since = self.world.now
        self.channels[name] = channel
        self.witness.commanded(ari, sent_at, "create", channel)
        self.world.after(self.world.between(0.0, 0.02), self._enter, channel)
        return channel.model()

    def _enter(self, channel: Channel) -> None:
        if not channel.alive:
            return
        if self.app is None:  # nobody has the application: a channel that finds none ends
            self._end(channel, None)
            return
        channel.inside = channel.entered = True
        self.tell(
            channel,
            models.StasisStart(args=[words.LEG], channel=channel.model(), application=words.APP, timestamp=TIME),
        )

    def _dial(
        self, ari: SimulatedAri, sent_at: float, channel: Channel, fields: Mapping[str, Any], request: str
    ) -> None:
        if channel.dialled and channel.state == "Down":  # the far end has said nothing yet: its call ends
            self._end(channel, None)
            return
        if channel.dialled or (not channel.entered and self.world.chance(0.5)):
            raise AriConflict(409, "Channel in invalid state", request)
        self.witness.commanded(ari, sent_at, "dial", channel)
        channel.dialled = True
        self.witness.invited(ari, sent_at, channel)
        self.world.log(f"INVITE {_short(channel)} {channel.party}")
        self.people.called(channel)
        self.world.after(fields.get("timeout") or 30, self._gives_up, channel)

    def _gives_up(self, channel: Channel) -> None:
        if channel.alive and channel.state != "Up":
            self._end(channel, None)

    def _hang_up(self, ari: SimulatedAri, sent_at: float, channel: Channel, *, refused: bool) -> None:
        self.witness.commanded(ari, sent_at, "refuse" if refused else "hang up", channel)
        self._end(channel, 487 if channel.dialled and channel.state != "Up" else None)

    def _play(
        self, ari: SimulatedAri, sent_at: float, channel: Channel, name: str, fields: Mapping[str, Any], request: str
    ) -> models.Playback:
        if any(each == name for each, _ in channel.playing):
            raise AriConflict(409, "Playback with given unique ID already exists", request)
        self.witness.commanded(ari, sent_at, "play", channel)
        said = tuple(fields["media"])
        self.witness.played(channel, said)
        channel.playing.append((name, said))
        channel.music = False
        self._sound(channel)
        self.world.log(f"{_short(channel)} hears {' '.join(each.rsplit('/', 1)[-1] for each in said)}")
        self.people.hears(channel, said)
        if len(channel.playing) == 1:
            self._start_playing(channel)
        return _playback(channel, name, "queued")

    def _start_playing(self, channel: Channel) -> None:
        name, said = channel.playing[0]
        lasts = self.world.between(0.0, 0.01) if self.world.chance(self.odd) else 0.4 * len(said) + 0.6
        if not self.world.chance(self.never_ends):
            self.world.after(lasts, self._playback_ends, channel, name)

    def _playback_ends(self, channel: Channel, name: str) -> None:
        if not channel.alive or not channel.playing or channel.playing[0][0] != name:
            return
        channel.playing.pop(0)
        self._sound(channel)
        self.tell(
            channel,
            models.PlaybackFinished(playback=_playback(channel, name, "done"), application=words.APP, timestamp=TIME),
        )
        if channel.playing:
            self._start_playing(channel)

    def _stop(self, ari: SimulatedAri, sent_at: float, name: str, request: str) -> None:
        for channel in self.channels.values():
            if any(each == name for each, _ in channel.playing):
                self.witness.commanded(ari, sent_at, "stop playing", channel)
                if channel.playing[0][0] == name:
                    self._playback_ends(channel, name)
                else:
                    channel.playing = [each for each in channel.playing if each[0] != name]
                return
        raise AriNotFound(404, "Playback not found", request)

    def _set_variable(self, ari: SimulatedAri, sent_at: float, channel: Channel, fields: Mapping[str, Any]) -> None:
        self.witness.commanded(ari, sent_at, "variable", channel)
        channel.variables[fields["variable"]] = fields["value"]

    def _simple(self, ari: SimulatedAri, sent_at: float, channel: Channel, method: str, what: list[str]) -> None:
        self.witness.commanded(ari, sent_at, what[0], channel)
        match [method, *what]:
            case ["POST", "answer"]:
                if channel.state != "Up":
                    channel.state = "Up"
                    self._state_changed(channel)
            case [_, "moh"]:
                channel.music = method == "POST"
            case [_, "ring"]:
                channel.tone = method == "POST"
            case ["POST", "continue"]:
                self._send_back(channel, ari.epoch)
            case _:
                raise AssertionError(f"the simulated Asterisk does not know {method} {what}")
        self._sound(channel)

    def _send_back(self, channel: Channel, epoch: int) -> None:
        channel.given_back_by = epoch
        channel.inside, channel.music, channel.playing = False, False, []
        self.witness.sent_back()
        self.world.log(f"{_short(channel)} is back in the dialplan")
        self.tell(channel, models.StasisEnd(channel=channel.model(), application=words.APP, timestamp=TIME))
        channel.state = "Up"
        self.world.after(ASKS_AGAIN, self._ask_for_service, channel)

    def _add(self, ari: SimulatedAri, sent_at: float, name: str, fields: Mapping[str, Any], request: str) -> None:
        if name not in self.bridges:
            raise AriNotFound(404, "Bridge not found", request)
        found = [self.channels.get(each) for each in fields["channel"]]
        there = [each for each in found if each]
        if len(there) != len(found):
            raise AriError(400, "Channel not found", request)
        if not all(each.inside for each in there):
            raise AriConflict(409, "Channel not in Stasis application", request)
        self.witness.bridged(there)
        for channel in there:
            self.witness.commanded(ari, sent_at, "bridge", channel)
            channel.bridge = name
            self._sound(channel)
            if channel not in self.bridges[name]:
                self.bridges[name].append(channel)
        for channel in there:
            self.people.joined(channel)

    def _destroy(self, ari: SimulatedAri, sent_at: float, name: str, request: str) -> None:
        if name not in self.bridges:
            raise AriNotFound(404, "Bridge not found", request)
        for channel in self.bridges[name]:
            self.witness.commanded(ari, sent_at, "part", channel)
        for channel in self.bridges.pop(name):
            channel.bridge = None
            self._sound(channel)

    # The far ends' doings

    def call_in(self, channel: Channel) -> None:
        """A caller reaches the dialplan."""
        if not self.up:
            channel.alive = False
            self.people.ended(channel)
            return
        channel.since = self.world.now
        self.channels[channel.id] = channel
        channel.state = "Ring"
        self._ask_for_service(channel)

    def _ask_for_service(self, channel: Channel) -> None:
        if not channel.alive or channel.inside:
            return
        if self.app is None:
            channel.state = "Up"
            self.world.after(ASKS_AGAIN, self._ask_for_service, channel)
            return
        channel.inside = channel.entered = True
        channel.given_back_by = None
        self._sound(channel)
        _, *arguments = channel.app_data.split(",")
        self.world.log(f"{_short(channel)} enters the application")
        self.tell(
            channel,
            models.StasisStart(args=arguments, channel=channel.model(), application=words.APP, timestamp=TIME),
        )

    def rings(self, channel: Channel, status: str = "RINGING") -> None:
        """180, or a 183 that is told by a Dial event alone."""
        if channel.alive and channel.state == "Down":
            if status == "RINGING":
                channel.state = "Ringing"
                self._state_changed(channel)
            self.tell(
                channel, models.Dial(peer=channel.model(), dialstatus=status, application=words.APP, timestamp=TIME)
            )

    def answers(self, channel: Channel) -> None:
        """200 OK. Of a call cancelled meanwhile it is acknowledged and ended at once, and nobody is told."""
        if channel.alive and channel.state != "Up":
            channel.state = "Up"
            self.witness.answered(channel)
            self._sound(channel)
            self._state_changed(channel)

    def ends(self, channel: Channel, sip_cause: int | None = None) -> None:
        """The far end rejects, or hangs up."""
        if channel.alive:
            self._end(channel, sip_cause)

    def presses(self, channel: Channel, digit: str) -> None:
        if channel.alive:
            self.world.log(f"{_short(channel)} presses {digit}")
            if channel.inside:
                self.tell(
                    channel,
                    models.ChannelDtmfReceived(
                        digit=digit, duration_ms=100, channel=channel.model(), application=words.APP, timestamp=TIME
                    ),
                )

    def _state_changed(self, channel: Channel) -> None:
        self.tell(channel, models.ChannelStateChange(channel=channel.model(), application=words.APP, timestamp=TIME))

    def _end(self, channel: Channel, sip_cause: int | None) -> None:
        inside, playing = channel.inside, channel.playing
        self._remove(channel)
        self.world.log(f"{_short(channel)} is gone{f' ({sip_cause})' if sip_cause else ''}")
        for name, _ in playing[:1]:
            self.tell(
                channel,
                models.PlaybackFinished(
                    playback=_playback(channel, name, "done"), application=words.APP, timestamp=TIME
                ),
            )
        if inside:
            self.tell(channel, models.StasisEnd(channel=channel.model(), application=words.APP, timestamp=TIME))
        if channel.role != "caller" or self.world.chance(0.3):
            self.tell(
                channel,
                models.ChannelDestroyed(
                    cause=16,
                    cause_txt="",
                    tech_cause=sip_cause or 0,
                    channel=channel.model(),
                    application=words.APP,
                    timestamp=TIME,
                ),
            )

    def _remove(self, channel: Channel) -> None:
        channel.alive = False
        channel.inside = False
        self.channels.pop(channel.id, None)
        for members in self.bridges.values():
            if channel in members:
                members.remove(channel)
                for left in members:
                    left.bridge, left.alone_since = None, self.world.now
                    self._sound(left)
        self.people.ended(channel)

    def _sound(self, channel: Channel) -> None:
        """Notes since when a channel that is up hears nothing. Who hears something is not left alone any more: a
        caller whose agent was lost waits in line again."""
        if channel.hears_something:
            channel.alone_since = None
        if channel.hears_something or channel.state != "Up":
            channel.silent_since = None
        elif channel.silent_since is None:
            channel.silent_since = self.world.now


def _short(channel: Channel) -> str:
    return f"{channel.role} {channel.id[:8] if channel.role != 'caller' else channel.id[9:]}"


def _playback(channel: Channel, name: str, state: str) -> models.Playback:
    return models.Playback(id=name, media_uri="", target_uri=f"channel:{channel.id}", state=state)


def _bridge(name: str, members: list[Channel]) -> models.Bridge:
    return models.Bridge(
        id=name,
        technology="simple_bridge",
        bridge_type="mixing",
        bridge_class="stasis",
        creator="Stasis",
        name="",
        channels=[each.id for each in members],
        creationtime=TIME,
    )
