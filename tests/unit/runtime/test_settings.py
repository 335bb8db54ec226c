"""Settings come from a file and the environment, secrets from files too; errors are one line."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from routing.runtime.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RINGBACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RINGBACK_ARI_PASSWORD", "ari-secret")
    monkeypatch.setenv("RINGBACK_AMI_PASSWORD", "ami-secret")


def test_the_defaults_need_the_two_passwords_only() -> None:
    settings = load()
    assert (settings.trunk, settings.trunk_number_format) == ("carrier", "auto")
    assert settings.http_port == 8080
    assert settings.ari_password.get_secret_value() == "ari-secret"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('http_port = 9000\ntrunk = "sip-trunk"\n')
    monkeypatch.setenv("RINGBACK_HTTP_PORT", "9001")
    settings = load(file)
    assert (settings.http_port, settings.trunk) == (9001, "sip-trunk")


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('log_level = "debug"\n')
    monkeypatch.setenv("RINGBACK_CONFIG", str(file))
    assert load().log_level == "debug"


def test_a_secret_may_be_in_a_file_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ari").write_text("from-a-file\n")
    monkeypatch.delenv("RINGBACK_ARI_PASSWORD")
    monkeypatch.setenv("RINGBACK_ARI_PASSWORD_FILE", str(tmp_path / "ari"))
    assert load().ari_password.get_secret_value() == "from-a-file"


def test_a_secret_may_be_in_a_file_named_by_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ami").write_text("from-a-file")
    (tmp_path / "ringback.toml").write_text(f'ami_password_file = "{tmp_path}/ami"\n')
    monkeypatch.delenv("RINGBACK_AMI_PASSWORD")
    assert load(tmp_path / "ringback.toml").ami_password.get_secret_value() == "from-a-file"


def test_secrets_do_not_show_and_settings_do_not_change() -> None:
    settings = load()
    assert "secret" not in repr(settings).replace("SecretStr", "")
    with pytest.raises(ValidationError):
        settings.http_port = 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RINGBACK_HTTP_PORT", "many", "http_port: Input should be a valid integer"),
        ("RINGBACK_HTTP_PORT", "70000", "http_port: Input should be less than or equal to 65535"),
        ("RINGBACK_TRUNK_NUMBER_FORMAT", "guess", "trunk_number_format: Input should be 'e164', 'e164_no_plus', "),
        ("RINGBACK_HTPP_PORT", "80", "unknown setting in the environment: RINGBACK_HTPP_PORT"),
        ("RINGBACK_LOG_LEVEL", "loud", "log_level: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("RINGBACK_ARI_PASSWORD_FILE", "/nowhere/ari", "cannot read /nowhere/ari for ari_password"),
        ("RINGBACK_CONFIG", "/nowhere/x.toml", "cannot read /nowhere/x.toml: No such file or directory"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        load()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_secret_says_where_it_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBACK_ARI_PASSWORD")
    with pytest.raises(SettingsError) as raised:
        load()
    wanted = "ari_password is not set (set RINGBACK_ARI_PASSWORD or RINGBACK_ARI_PASSWORD_FILE)"
    assert str(raised.value) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("htpp_port = 1", "unknown setting htpp_port"),
        ("http_port = ", "is not valid TOML"),
        ('http_port = "x"\nari_url = "ftp://x"', "; "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load(tmp_path / "ringback.toml")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_message_repeats_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBACK_ARI_PASSWORD")
    (tmp_path / "ringback.toml").write_text('ari_password = ["hunter2"]')
    with pytest.raises(SettingsError) as raised:
        load(tmp_path / "ringback.toml")
    assert "hunter2" not in str(raised.value)


def test_settings_can_be_built_in_code_too() -> None:
    assert Settings(http_port=1234).http_port == 1234  # type: ignore[call-arg]


def test_no_proxy_is_trusted_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ringback.toml").write_text('trusted_proxies = ["10.0.0.0/8", "fd00::1"]\n')
    assert load().trusted_proxies == ()
    assert [str(each) for each in load(tmp_path / "ringback.toml").trusted_proxies] == ["10.0.0.0/8", "fd00::1/128"]
    monkeypatch.setenv("RINGBACK_TRUSTED_PROXIES", "127.0.0.1, 192.0.2.0/24")
    assert [str(each) for each in load().trusted_proxies] == ["127.0.0.1/32", "192.0.2.0/24"]


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "nginx", "10.0.0.1,"])
def test_a_proxy_that_is_no_network_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TRUSTED_PROXIES", wrong)
    with pytest.raises(SettingsError, match=r"^trusted_proxies\.\d: value is not a valid IPv4 or IPv6 network$"):
        load()
