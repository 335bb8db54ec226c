"""The passwords of one Ringback on this machine, made once and kept in DIR/credentials.json (mode 0600)."""

import json
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from routing.local.system.errors import SetupError
from routing.local.system.home import write_secret

DEMO_AGENTS = ("1001", "1002", "1003", "1004")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Login(_Frozen):
    username: str
    password: str


class AgentPasswords(_Frozen):
    """`password` is for the page and the API, `sip_password` for the phone."""

    password: str
    sip_password: str


class Credentials(_Frozen):
    """`agents` are those of the demo seed, by id; `ari` and `ami` are how the service logs in to Asterisk."""

    agents: dict[str, AgentPasswords]
    ari: Login
    ami: Login


def load_or_create(path: Path) -> Credentials:
    """Read them, or make new ones if there are none. Raise SetupError if the file is damaged."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        made = _new()
        write_secret(path, json.dumps(made.model_dump(), indent=2) + "\n")
        return made
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}") from None
    try:
        return Credentials.model_validate_json(text)
    except ValidationError:
        raise SetupError(f"{path} is damaged: remove it and new passwords are made") from None


def _new() -> Credentials:
    return Credentials(
        agents={agent: AgentPasswords(password=_word(), sip_password=_word()) for agent in DEMO_AGENTS},
        ari=Login(username="ringback", password=_word()),
        ami=Login(username="ringback", password=_word()),
    )


def _word() -> str:
    """128 random bits in hexadecimal: nothing in it means anything to a configuration file."""
    return secrets.token_hex(16)
