"""What clients are told about themselves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Me:
    role: str
    agent: str | None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The token is shown this once."""

    token: str
    role: str
    agent: str | None
