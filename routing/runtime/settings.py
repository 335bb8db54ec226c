"""The service's settings: a TOML file, the environment (`RINGBACK_…`, which wins), secrets also as files.

`up` sets all of them for its service; a deployment without `up` sets them itself.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from routing.core.events import NumberFormat

_PREFIX = "RINGBACK_"
_SECRETS = ("database_url", "owner_url", "ari_password", "ami_password")
# Read by the programs themselves, not by the service:
_OTHER_VARIABLES = {"RINGBACK_CONFIG", "RINGBACK_DEBIAN_MIRROR"}


class SettingsError(Exception):
    """A setting is missing, unknown or malformed; the message is one line that names it."""


def _listed(value: Any) -> Any:
    """In the environment a list is written with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class Settings(BaseSettings):
    """What the service must be told. Built by `load()`; frozen, and secrets do not show in its repr."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: SecretStr = SecretStr("postgresql:///ringback")
    owner_url: SecretStr | None = None  # for `migrate` alone: the same database as its owner
    ari_url: str = Field("http://127.0.0.1:8088", pattern=r"^https?://[^/]+/?$")  # without /ari
    ari_username: str = "ringback"
    ari_password: SecretStr
    ami_host: str = "127.0.0.1"
    ami_port: int = Field(5038, ge=1, le=65535)
    ami_username: str = "ringback"
    ami_password: SecretStr
    http_host: str = "127.0.0.1"
    http_port: int = Field(8080, ge=1, le=65535)
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)] = ()
    data_dir: Path | None = None
    trunk: str = Field("carrier", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    trunk_silence: float = Field(30.0, ge=0)  # seconds within which a dead line is noticed; 0: never
    phone_silence: float = Field(30.0, ge=0)
    trunk_number_format: NumberFormat = NumberFormat.AUTO
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    allow_old_asterisk: bool = False

    @property
    def dsn(self) -> str:
        """The Postgres address with whatever password it holds."""
        return self.database_url.get_secret_value()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load()` passes from the file."""
        return env_settings, init_settings


def load(config: Path | None = None) -> Settings:
    """Read the settings once, from `config` (or `$RINGBACK_CONFIG`) and the environment.

    Raises SettingsError with one line about everything that is wrong.
    """
    values = _values(config)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(item) for item in error.errors())) from None


def load_dsn(config: Path | None = None) -> str:
    """The Postgres address alone, for commands that need neither Asterisk nor its passwords."""
    default = Settings.model_fields["database_url"].default.get_secret_value()
    return _told("database_url", config) or str(default)


def load_owner_dsn(config: Path | None = None) -> str | None:
    """The same database as its owner, where that is set apart."""
    return _told("owner_url", config)


def _told(secret: str, config: Path | None) -> str | None:
    in_files = _values(config).get(secret)
    told = os.environ.get(_PREFIX + secret.upper()) or in_files
    return str(told) if told else None


def _values(config: Path | None) -> dict[str, Any]:
    """What the file and the secrets' files say; the rest of the environment is read by `Settings` itself."""
    named = config or os.environ.get("RINGBACK_CONFIG")
    values = _from_file(Path(named)) if named else {}
    variables = {k.removeprefix(_PREFIX).lower(): v for k, v in os.environ.items() if k.startswith(_PREFIX)}
    _refuse_unknown_variables()
    return values | _secrets_from_files(variables)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    from_files = _secrets_from_files(table)
    return {k: v for k, v in table.items() if k.removesuffix("_file") not in from_files} | from_files


def _secrets_from_files(named: dict[str, Any]) -> dict[str, str]:
    """For every secret given as `<name>_file`: what that file holds, without the line end."""
    paths = {secret: named[f"{secret}_file"] for secret in _SECRETS if f"{secret}_file" in named}
    return {secret: _read_secret(secret, Path(str(path))) for secret, path in paths.items()}


def _read_secret(name: str, path: Path) -> str:
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(f"cannot read {path} for {name}: {why}") from None


def _refuse_unknown_variables() -> None:
    known = {_PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{_PREFIX}{name.upper()}_FILE" for name in _SECRETS} | _OTHER_VARIABLES
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting in the environment: {', '.join(unknown)}")


def _explain(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"unknown setting {name}"
        case "missing":
            hint = f" or {_PREFIX}{name.upper()}_FILE" if name in _SECRETS else ""
            return f"{name} is not set (set {_PREFIX}{name.upper()}{hint})"
        case _:
            return f"{name}: {error['msg']}"
