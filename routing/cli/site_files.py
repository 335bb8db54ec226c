"""What `ringback apply` reads: queues, agents and numbers never to call, from a TOML file or a folder of them.

The keys are those of the API. A file is either one queue (`name = …` at its top) or has the tables `queues`, `agents`
and `do_not_call`. A secret may be in a file or the environment instead: `sip_password_file`, `sip_password_env`.
"""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from routing.api.agents import bodies
from routing.api.http.fields import Sent
from routing.core.agents import check_id
from routing.core.errors import Invalid, RingbackError
from routing.core.numbers import listed
from routing.core.queues import Queue

_SECRETS = ("password", "sip_password")
_T = TypeVar("_T", bound=BaseModel)
_TABLES = ("queues", "agents", "do_not_call")


class WrongFile(RingbackError):
    """The message is one line that names the file and the key."""

    def __init__(self, path: Path, key: str, why: str) -> None:
        super().__init__(f"{path}: {key}: {why}" if key else f"{path}: {why}")


class NumberNotToCall(Sent):
    """One line of the do-not-call list."""

    number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$"), AfterValidator(listed)]
    reason: Annotated[str, Field(max_length=200)] | None = None


@dataclass(frozen=True)
class Entry(Generic[_T]):
    """An object with where it stands: `key` such as `agents[2]`, empty for a file that is one queue."""

    value: _T
    path: Path
    key: str

    def wrong(self, key: str, why: str) -> WrongFile:
        """`key` within the object."""
        return WrongFile(self.path, _joined(self.key, key), why)

    def refused(self, error: Invalid) -> WrongFile:
        """The same for what Postgres found; its pointer is that of the API, such as `/queues/0/queue`."""
        return self.wrong(_joined("", *error.pointer.split("/")), str(error))


@dataclass
class Site:
    """By name, id and number."""

    queues: dict[str, Entry[Queue]] = field(default_factory=dict)
    agents: dict[str, Entry[bodies.Agent]] = field(default_factory=dict)
    do_not_call: dict[str, Entry[NumberNotToCall]] = field(default_factory=dict)


def read(path: Path) -> Site:
    """Everything in that file, or in the folder's `*.toml`. Raises WrongFile."""
    site = Site()
    for each in _files(path):
        table = _toml(each)
        if "name" in table:
            _add_queue(site, each, "", table)
        else:
            _add_tables(site, each, table)
    return site


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.glob("*.toml") if not each.name.startswith("."))
    if not found:
        raise WrongFile(path, "", "there is no *.toml in this folder")
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WrongFile(path, "", error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongFile(path, "", f"not valid TOML: {error}") from None


def _add_tables(site: Site, path: Path, table: dict[str, Any]) -> None:
    if unknown := sorted(table.keys() - set(_TABLES)):
        raise WrongFile(path, unknown[0], f"unknown key; {', '.join(_TABLES)} are known, or name for a single queue")
    for kind, add in zip(_TABLES, (_add_queue, _add_agent, _add_number), strict=True):
        entries = table.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise WrongFile(path, kind, f"must be a list of tables: [[{kind}]]")
        for i, each in enumerate(entries):
            add(site, path, f"{kind}[{i}]", each)


def _add_queue(site: Site, path: Path, key: str, table: dict[str, Any]) -> None:
    entry = Entry(_checked(Queue, path, key, table), path, key)
    _add(site.queues, entry.value.name, entry, "name")


def _add_agent(site: Site, path: Path, key: str, table: dict[str, Any]) -> None:
    entry = Entry(_checked(bodies.Agent, path, key, _with_secrets(path, key, table)), path, key)
    if entry.value.id is None:
        raise entry.wrong("id", "is missing")
    try:
        check_id(entry.value.id)
    except Invalid as error:
        raise entry.refused(error) from None
    _add(site.agents, entry.value.id, entry, "id")


def _add_number(site: Site, path: Path, key: str, table: dict[str, Any]) -> None:
    entry = Entry(_checked(NumberNotToCall, path, key, table), path, key)
    _add(site.do_not_call, entry.value.number, entry, "number")


def _add(entries: dict[str, Entry[_T]], name: str, entry: Entry[_T], key: str) -> None:
    if earlier := entries.get(name):
        raise entry.wrong(key, f"is there already: {earlier.path}{f', {earlier.key}' if earlier.key else ''}")
    entries[name] = entry


def _checked(kind: type[_T], path: Path, key: str, table: dict[str, Any]) -> _T:
    """The first thing that is wrong is told: a list of twenty follow-up errors helps nobody."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        why = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise WrongFile(path, _joined(key, *first["loc"]), why) from None


def _with_secrets(path: Path, key: str, table: dict[str, Any]) -> dict[str, Any]:
    """A secret's file is found from the TOML file's own folder."""
    plain = dict(table)
    for secret in _SECRETS:
        ways = [way for way in (secret, f"{secret}_file", f"{secret}_env") if way in plain]
        if len(ways) > 1:
            raise WrongFile(path, _joined(key, ways[1]), f"{ways[0]} is there, too")
        if ways and ways[0] != secret:
            plain[secret] = _secret(
                path, _joined(key, ways[0]), plain.pop(ways[0]), in_file=ways[0].endswith("_file")
            )
    return plain


def _secret(path: Path, key: str, named: Any, *, in_file: bool) -> str:
    if not isinstance(named, str):
        raise WrongFile(path, key, "must be a text")
    if not in_file:
        if not (value := os.environ.get(named)):
            raise WrongFile(path, key, f"{named} is not set in the environment")
        return value
    try:
        return (path.parent / named).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongFile(path, key, f"cannot read {named}: {getattr(error, 'strerror', 'not text')}") from None


def _joined(*parts: str | int) -> str:
    """`agents[2]`, `queues`, `0`, `queue` as `agents[2].queues[0].queue`."""
    text = ""
    for part in parts:
        if isinstance(part, int) or part.isdigit():
            text += f"[{part}]"
        elif part:
            text += f".{part}" if text else part
    return text
