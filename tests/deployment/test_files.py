"""The files of a deployment say only what is true of this repository: paths, settings, flags, hardening."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from routing.cli import ringback
from routing.runtime.settings import Settings
from routing.store.roles import service_password
from tests.deployment.parts import COMPOSE, ROOT

SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, told in SERVICES.items() if "build" in told]
UNITS = ("ringback.service", "ringback-migrate.service", "ringback-asterisk.service", "ringback-firewall.service")
SECRETS = {"database_url", "owner_url", "ari_password", "ami_password"}


def is_a_setting(variable: str) -> bool:
    name = variable.removeprefix("RINGBACK_").lower()
    return name in Settings.model_fields or (name.endswith("_file") and name.removesuffix("_file") in SECRETS)


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_container_is_a_setting(service: str) -> None:
    assert all(is_a_setting(name) for name in SERVICES[service]["environment"])


@pytest.mark.parametrize("service", OURS)
def test_every_command_and_flag_of_a_container_is_one_of_ringback_s(service: str) -> None:
    command, *flags = SERVICES[service]["command"]
    known = {option for parameter in ringback.commands[command].params for option in parameter.opts}
    assert {flag.partition("=")[0] for flag in flags} <= known


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_without_root_capabilities_and_a_file_system_to_write(service: str) -> None:
    """The firewall alone is root, and may do nothing but change its network's rules and read its packets."""
    told = SERVICES[service]
    firewall = service == "firewall"
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"] and "privileged" not in told
    assert told.get("cap_add", []) == (["NET_ADMIN", "NET_RAW"] if firewall else [])
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert (int(told["user"].partition(":")[0]) == 0) is firewall
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", told["image"])


def test_only_sip_rtp_and_on_this_host_the_api_are_published() -> None:
    published = {name: told["ports"] for name, told in SERVICES.items() if "ports" in told}
    assert published.keys() == {"asterisk", "service"}
    assert published["asterisk"] == ["5060:5060/udp", "5060:5060/tcp", "5061:5061/tcp", "10000-10199:10000-10199/udp"]
    assert published["service"] == ["127.0.0.1:8080:8080/tcp"]
    networks = COMPOSE["networks"]
    assert networks["control"]["internal"] and networks["database"]["internal"]
    assert SERVICES["postgres"]["networks"] == ["database"]


def test_ari_and_ami_listen_where_the_service_looks_for_them_on_the_internal_network() -> None:
    address = SERVICES["asterisk"]["networks"]["control"]["ipv4_address"]
    command, told = SERVICES["asterisk"]["command"], SERVICES["service"]["environment"]
    (subnet,) = (each["subnet"] for each in COMPOSE["networks"]["control"]["ipam"]["config"])
    assert f"--control={address}" in command and f"--control-net={subnet}" in command
    assert told["RINGBACK_ARI_URL"] == SERVICES["asterisk"]["environment"]["RINGBACK_ARI_URL"]
    assert told["RINGBACK_ARI_URL"].startswith(f"http://{address}:") and told["RINGBACK_AMI_HOST"] == address


def test_every_secret_that_is_mounted_is_made_by_the_script_and_kept_the_second_time(tmp_path: Path) -> None:
    script, folder = ROOT / "deploy/make-secrets", tmp_path / "secrets"
    subprocess.run([script, folder], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert {told["file"] for told in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in made}
    used = {secret for told in SERVICES.values() for secret in told.get("secrets", [])}
    assert used == made.keys()
    assert folder.stat().st_mode & 0o077 == 0 and len(set(made.values())) == len(made)
    assert made["postgres_password"] in made["owner_url"]
    assert service_password(made["database_url"]) not in (None, made["postgres_password"])
    subprocess.run([script, folder], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_everything_the_dockerfile_copies_is_there_and_reaches_the_builder() -> None:
    text = (ROOT / "Dockerfile").read_text()
    sources = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for word in line.split()[:-1]]
    assert len(sources) == 7
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) == let_in
    assert all((ROOT / source).exists() for source in sources)


def test_the_images_are_pinned_and_have_the_targets_that_compose_builds() -> None:
    text = (ROOT / "Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M))
    assert [image for image in stages if ":" in image] == ["python:3.11.13-slim-bookworm"]
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
    assert {SERVICES[service]["build"]["target"] for service in OURS} <= targets


def test_uv_itself_is_installed_by_its_hash_here_and_in_the_images() -> None:
    lines = [line for line in (ROOT / "deploy/uv.txt").read_text().splitlines() if not line.startswith("#")]
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+ \\", lines[0])
    assert len(lines) > 1
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines[1:])
    for file, told in (("Makefile", "deploy/uv.txt"), ("Dockerfile", "uv.txt")):
        (line,) = [line for line in (ROOT / file).read_text().splitlines() if "pip install" in line]
        assert line.endswith(f" --require-hashes --requirement {told}")


def test_the_settings_and_commands_of_the_units_exist() -> None:
    for unit in UNITS:
        text = (ROOT / "deploy" / unit).read_text()
        told = set(re.findall(r"^Environment=(RINGBACK_\w+)=", text, re.M)) - {"RINGBACK_CONFIG"}
        assert told and all(is_a_setting(name) for name in told)
        for line in re.findall(r"^ExecStart\w*=/opt/ringback/\.venv/bin/ringback (.+)$", text, re.M):
            name, *words = line.split()
            command = ringback.commands[name]
            assert isinstance(command, click.Command)
            known = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= known


def test_systemd_finds_nothing_wrong_with_the_units_where_it_is_there(tmp_path: Path) -> None:
    """Verified with programs that exist; a machine without systemd checks the sections only."""
    for unit in UNITS:
        text = (ROOT / "deploy" / unit).read_text()
        assert re.findall(r"^\[(\w+)\]$", text, re.M) == ["Unit", "Service", "Install"]
        (tmp_path / unit).write_text(text.replace("/opt/ringback/.venv/bin/ringback", "/bin/true"))
    if analyze := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [analyze, "verify", *(tmp_path / unit for unit in UNITS)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_only_what_migrates_has_the_owner_s_password() -> None:
    """The service could read what its container, or its unit, is given."""
    have = [name for name, told in SERVICES.items() if "owner_url" in told.get("secrets", [])]
    assert have == ["migrate"]
    with_it = [unit for unit in UNITS if "owner_url" in (ROOT / "deploy" / unit).read_text()]
    assert with_it == ["ringback-migrate.service"]
