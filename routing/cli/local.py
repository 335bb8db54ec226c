"""Commands that run Ringback on this machine: setup, up, down, demo, doctor."""

import asyncio
import ipaddress
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routing.core.events import NumberFormat

if TYPE_CHECKING:
    from routing.local.system.certificates import Certificate

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
SECONDS = click.FloatRange(0)
_SILENCE = "within so many seconds a line that died is noticed by its silence; 0: never"
_SIP_URI = re.compile(r"sips?:([^@\s;]+@)?[A-Za-z0-9._\[\]:-]+(;[^\s]*)?")


def say(text: str) -> None:
    """Progress, for the person at the terminal: standard output is for logs and results."""
    click.echo(text, err=True)


class RtpRange(click.ParamType[tuple[int, int]]):
    name = "first-last"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", str(value))
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1024 <= first < last <= 65535:
            self.fail(f"{value!r} is not a range of ports such as 10000-20000", param, ctx)
        return first, last


def ip_address(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IP address", param=param) from None


def sip_uri(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _SIP_URI.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a SIP address such as sip:trunk.example.net:5060", param=param)
    return value


data_dir_option = click.option(
    "--data-dir", type=FOLDER, help="where everything lives [default: /var/lib/ringback as root, else in ~]"
)


def absolute(data_dir: Path | None) -> Path:
    from routing.local.system.home import default_data_dir

    return (data_dir or default_data_dir()).resolve()


@click.command()
@click.option("--asterisk", is_flag=True, help="only Asterisk and its prompts: a machine without Postgres")
def setup(asterisk: bool) -> None:
    """Find or install what Ringback needs. Nothing is started."""
    from routing.local.setup import set_up, set_up_asterisk

    (set_up_asterisk if asterisk else set_up)(say)


@click.command()
@data_dir_option
@click.option("--port-base", type=click.IntRange(1, 64716), default=8080, show_default=True, metavar="N")
@click.option("--rtp", type=RtpRange(), metavar="FIRST-LAST", help="RTP ports [default: N+20 to N+819]")
@click.option("--bind", callback=ip_address, default="127.0.0.1", show_default=True, metavar="ADDR")
@click.option("--external-address", callback=ip_address, metavar="ADDR", help="ours as phones see it, behind NAT")
@click.option("--seed", type=click.Choice(["demo", "none"]), default="demo", show_default=True)
@click.option("--carrier", callback=sip_uri, metavar="SIP_URI", help="the trunk [default: sip:127.0.0.1:N+11]")
@click.option("--trunk-silence", type=SECONDS, default=30, show_default=True, metavar="S", help=_SILENCE)
@click.option("--phone-silence", type=SECONDS, default=30, show_default=True, metavar="S", help="agents' lines")
@click.option(
    "--trunk-number-format",
    type=click.Choice([each.value for each in NumberFormat]),
    default="auto",
    show_default=True,
    help="how the trunk writes numbers without +",
)
@click.option("--tls-certificate", type=FILE, help="for SIP over TLS, PEM with its chain [default: one made here]")
@click.option("--tls-key", type=FILE, help="its key")
@click.option("--tls-ca", type=FILE, help="who issues a TLS trunk's certificate [default: the system's CAs]")
@click.option("--sounds", type=FOLDER, hidden=True, help="a folder of prompts; tests use tones")
def up(
    data_dir: Path | None,
    port_base: int,
    rtp: tuple[int, int] | None,
    bind: str,
    external_address: str | None,
    seed: str,
    carrier: str | None,
    trunk_silence: float,
    phone_silence: float,
    trunk_number_format: str,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    sounds: Path | None,
) -> None:
    """Run Postgres, Asterisk and the service here, in the foreground. Ctrl-C ends calls and stops them."""
    from routing.local.system.ports import Ports
    from routing.local.up.foreground import run
    from routing.local.up.options import Options
    from routing.runtime import log
    from routing.runtime.until_signal import run_until_signal

    ports = Ports.from_base(port_base)
    options = Options(
        data_dir=absolute(data_dir),
        ports=ports.with_rtp(*rtp) if rtp else ports,
        bind=bind,
        external_address=external_address,
        demo_seed=seed == "demo",
        carrier=carrier,
        trunk_number_format=NumberFormat(trunk_number_format),
        sounds=sounds.resolve() if sounds else None,
        trunk_silence=trunk_silence,
        phone_silence=phone_silence,
        certificate=certificate_of(tls_certificate, tls_key),
        authorities=tls_ca.resolve() if tls_ca else None,
    )
    log.configure()
    run_until_signal(run(options, say))


def certificate_of(chain: Path | None, key: Path | None) -> "Certificate | None":
    from routing.local.system.certificates import given

    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise click.UsageError("--tls-certificate and --tls-key go together")
    return given(chain.resolve(), key.resolve())


@click.command()
@data_dir_option
def down(data_dir: Path | None) -> None:
    """Stop whatever still runs on a data directory."""
    from routing.local.up.down import stop_all

    stopped = asyncio.run(stop_all(absolute(data_dir)))
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing runs there")


@click.command()
def demo() -> None:
    """Make real calls with simulated phones, tell the story, and check every step."""
    from demo.story import main

    sys.exit(main())


@click.command()
@data_dir_option
@click.option("--port-base", type=click.IntRange(1, 64716), default=8080, show_default=True, metavar="N")
def doctor(data_dir: Path | None, port_base: int) -> None:
    """Check everything Ringback depends on and say how to mend it."""
    from routing.local.doctor import examine

    worst = 0
    for finding in asyncio.run(examine(absolute(data_dir), port_base)):
        click.echo(f"{finding.mark:>4}  {finding.what}: {finding.told}")
        worst = max(worst, finding.failed)
    sys.exit(worst)


COMMANDS = (setup, up, down, demo, doctor)
