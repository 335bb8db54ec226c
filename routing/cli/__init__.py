"""The `ringback` command. What a command needs is imported when it runs, so that `--help` is quick."""

import sys

import click

from routing.cli import local, service, standalone


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ringback", prog_name="ringback")
def ringback() -> None:
    """Callback routing for Asterisk."""


for command in (*local.COMMANDS, *service.COMMANDS, *standalone.COMMANDS):
    ringback.add_command(command)


def main() -> None:
    """Run the command line. What the user can mend is told in one line, with exit code 2."""
    from routing.core.errors import RingbackError
    from routing.local.system.errors import SetupError

    try:
        ringback.main(prog_name="ringback", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        _give_up(error.format_message())
    except (SetupError, RingbackError) as error:
        _give_up(str(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)


def _give_up(message: str) -> None:
    click.echo(f"ringback: {' '.join(message.split())}", err=True)
    sys.exit(2)
