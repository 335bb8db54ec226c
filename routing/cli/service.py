"""Commands about the service alone: serve, migrate, token."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from routing.cli.local import absolute, data_dir_option, ip_address

if TYPE_CHECKING:
    from routing.local.postgres.server import Postgres
    from routing.runtime.settings import Settings

_T = TypeVar("_T")

config_option = click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="settings in TOML [default: $RINGBACK_CONFIG]"
)


@click.command()
@config_option
@click.option("--data-dir", type=click.Path(path_type=Path), hidden=True, help="shows in ps whose service this is")
@click.option("--parent", type=int, hidden=True, help="die with this process")
@click.option("--standby", is_flag=True, hidden=True, help="be ready, but wait for a line on standard input")
def serve(config: Path | None, data_dir: Path | None, parent: int | None, standby: bool) -> None:
    """Run the service alone, with the configured Postgres and Asterisk. SIGTERM leaves calls alone."""
    if parent is not None:
        from routing.local.system.parent import die_with

        die_with(parent)
    settings = settings_of(config)
    from routing.main import serve as run
    from routing.runtime import log
    from routing.runtime.until_signal import run_until_signal

    if standby and not sys.stdin.readline():
        return
    log.configure(settings.log_level)
    run_until_signal(run(settings))


@click.command()
@config_option
@data_dir_option
def migrate(config: Path | None, data_dir: Path | None) -> None:
    """Bring the database's schema up to date, and the rights of its roles, as its owner."""
    from routing.store.migrate import migrate as run

    done = _asked(run(*_owner(config, data_dir)))
    click.echo(f"applied: {', '.join(done)}" if done else "the schema is up to date")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="show the changes, and change nothing")
@config_option
@data_dir_option
def apply(path: Path, dry_run: bool, config: Path | None, data_dir: Path | None) -> None:
    """Load queues, agents and numbers not to call from TOML: a file, or a folder of them. All or nothing."""
    from routing.cli.apply import apply as run

    _asked(run(_dsn(config, data_dir), path, click.echo, dry_run=dry_run))


@click.group()
def token() -> None:
    """Tokens for the HTTP API."""


@token.command("create")
@click.option("--role", type=click.Choice(["agent", "supervisor", "admin", "auditor"]), required=True)
@click.option("--agent", metavar="ID", help="whose token it is; the role agent needs one")
@config_option
@data_dir_option
def token_create(role: str, agent: str | None, config: Path | None, data_dir: Path | None) -> None:
    """Print a new API token. It is shown this once: only its hash is kept."""
    if role == "agent" and not agent:
        raise click.UsageError("--role agent needs --agent ID")
    from routing.store.tokens import create_token

    click.echo(_asked(create_token(_dsn(config, data_dir), role, agent)))


@click.group()
def ban() -> None:
    """Addresses that guessed SIP passwords."""


@ban.command("list")
@config_option
@data_dir_option
def ban_list(config: Path | None, data_dir: Path | None) -> None:
    """Who is banned, since when and until when."""
    from routing.cli.bans import shown

    for line in _asked(shown(_dsn(config, data_dir))):
        click.echo(line)


@ban.command("lift")
@click.argument("address", callback=ip_address)
@config_option
@data_dir_option
def ban_lift(address: str, config: Path | None, data_dir: Path | None) -> None:
    """Let an address in again, within a second."""
    from routing.cli.bans import lift

    _asked(lift(_dsn(config, data_dir), address))
    click.echo(f"{address} is let in again")


def _asked(question: Coroutine[Any, Any, _T]) -> _T:
    """What Postgres answers to a command."""
    import asyncpg

    try:
        return asyncio.run(question)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise click.ClickException(f"Postgres does not answer: {error}") from None


def settings_of(config: Path | None) -> "Settings":
    from routing.runtime.settings import load

    return _read(load, config)


def _dsn(config: Path | None, data_dir: Path | None) -> str:
    """The configured Postgres; without any configuration the one of `ringback up`."""
    if _is_configured(config, data_dir):
        from routing.runtime.settings import load_dsn

        return _read(load_dsn, config)
    return _of_up(data_dir).service_dsn


def _owner(config: Path | None, data_dir: Path | None) -> tuple[str, str | None]:
    """The same as its owner, and the password that the service's role is to have, where the service has its own."""
    if not _is_configured(config, data_dir):
        return _of_up(data_dir).dsn, None
    from routing.runtime.settings import load_dsn, load_owner_dsn
    from routing.store.roles import service_password

    dsn, owner = _read(load_dsn, config), _read(load_owner_dsn, config)
    return (owner, service_password(dsn)) if owner else (dsn, None)


def _is_configured(config: Path | None, data_dir: Path | None) -> bool:
    return bool(config or any(f"RINGBACK_{name}" in os.environ for name in _POSTGRES_SETTINGS)) and not data_dir


_POSTGRES_SETTINGS = ("CONFIG", "DATABASE_URL", "DATABASE_URL_FILE", "OWNER_URL", "OWNER_URL_FILE")


def _of_up(data_dir: Path | None) -> "Postgres":
    from routing.local.postgres.server import Postgres
    from routing.local.system.home import Home

    return Postgres(Home(absolute(data_dir)).postgres, Path())


def _read(what: Callable[[Path | None], _T], config: Path | None) -> _T:
    from routing.runtime.settings import SettingsError

    try:
        return what(config)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


COMMANDS = (serve, migrate, apply, token, ban)
