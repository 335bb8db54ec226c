"""Commands for deployments whose parts are started one by one: Asterisk alone, and whether a part is ready."""

import ipaddress
import sys
from pathlib import Path
from typing import Any

import click

from routing.cli.local import FILE, FOLDER, RtpRange, certificate_of, ip_address, say, sip_uri
from routing.cli.service import config_option, settings_of

_PORT = click.IntRange(1, 65535)


def _network(_: click.Context, param: click.Parameter, value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a network such as 10.0.3.0/24", param=param) from None


@click.command()
@click.option("--carrier", callback=sip_uri, required=True, metavar="SIP_URI", help="the trunk")
@click.option("--bind", callback=ip_address, default="0.0.0.0", show_default=True, metavar="ADDR")  # noqa: S104  # SIP
@click.option("--external-address", callback=ip_address, metavar="ADDR", help="ours as phones see it, behind NAT")
@click.option("--sip-port", type=_PORT, default=5060, show_default=True, metavar="N", help="udp and tcp")
@click.option("--tls-port", type=_PORT, default=5061, show_default=True, metavar="N")
@click.option("--rtp", type=RtpRange(), default="10000-10999", show_default=True, metavar="FIRST-LAST")
@click.option("--control", callback=ip_address, default="127.0.0.1", show_default=True, metavar="ADDR")
@click.option("--control-net", callback=_network, default="127.0.0.1/32", show_default=True, metavar="NETWORK")
@click.option("--tls-certificate", type=FILE, help="for SIP over TLS, PEM with its chain [default: one made here]")
@click.option("--tls-key", type=FILE, help="its key")
@click.option("--tls-ca", type=FILE, help="who issues a TLS trunk's certificate [default: the system's CAs]")
@click.option("--sounds", type=FOLDER, hidden=True, help="a folder of prompts; tests use tones")
@config_option
def asterisk(
    sip_port: int,
    tls_port: int,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    config: Path | None,
    sounds: Path | None,
    **told: Any,
) -> None:
    """Run only Asterisk, for a service elsewhere, as this process.

    ARI and AMI listen on the address --control, with the ports and passwords of the service's settings, and answer to
    --control-net only. Calls end with it.
    """
    from routing.local.asterisk.standalone import Alone, become_asterisk
    from routing.local.system.home import default_data_dir

    settings = settings_of(config)
    alone = Alone(
        data_dir=(settings.data_dir or default_data_dir()).resolve(),
        sip=sip_port,
        sip_tls=tls_port,
        certificate=certificate_of(tls_certificate, tls_key),
        authorities=tls_ca.resolve() if tls_ca else None,
        sounds=sounds.resolve() if sounds else None,
        **told,
    )
    become_asterisk(alone, settings, say)


@click.command()
@click.option(
    "--carrier", callback=sip_uri, required=True, metavar="SIP_URI", help="the trunk, which is never banned"
)
@click.option("--sip-port", type=_PORT, default=5060, show_default=True, metavar="N", help="udp and tcp")
@click.option("--tls-port", type=_PORT, default=5061, show_default=True, metavar="N")
@config_option
def firewall(carrier: str, sip_port: int, tls_port: int, config: Path | None) -> None:
    """Shut out who guesses SIP passwords, and limit what strangers send. `ringback up` does this itself, as root.

    It runs in Asterisk's network with the capabilities NET_ADMIN and NET_RAW, and makes an nftables table of its own.
    """
    from routing.local.firewall.watch import Guarded, guard
    from routing.runtime import log
    from routing.runtime.until_signal import run_until_signal

    settings = settings_of(config)
    guarded = Guarded(
        dsn=settings.dsn,
        ami_host=settings.ami_host,
        ami_port=settings.ami_port,
        ami_username=settings.ami_username,
        ami_password=settings.ami_password.get_secret_value(),
        sip=sip_port,
        sip_tls=tls_port,
        carrier=carrier,
    )
    log.configure(settings.log_level)
    run_until_signal(guard(guarded))


@click.command()
@click.option("--asterisk", is_flag=True, help="ask Asterisk instead of the service")
@click.option("--within", type=click.FloatRange(0), default=0, metavar="SECONDS", help="wait for it that long")
@config_option
def ready(asterisk: bool, within: float, config: Path | None) -> None:
    """Exit code 0 when the configured service is ready, 1 when it is not."""
    from routing.local.up.ready import gets_ready

    if not gets_ready(settings_of(config), asterisk=asterisk, within=within):
        say("not ready")
        sys.exit(1)


COMMANDS = (asterisk, firewall, ready)
