"""Settings: what the environment says, what `dispatch up` left behind, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dispatch.errors import SetupError
from dispatch.fanout.senders import contact_of
from dispatch.settings import RunningServers, Settings, load_settings, running_servers


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("DISPATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DISPATCH_DATA", str(tmp_path))
    return tmp_path


def left_behind(folder: Path, pid: int) -> None:
    running = RunningServers(
        site="kept", nats_url="nats://kept:1", postgres_dsn="postgresql://kept/x", mqtt_port=7, pid=pid, port=9
    )
    (folder / "servers.json").write_text(running.model_dump_json())


def test_servers_of_a_running_up_are_found(data_folder: Path) -> None:
    left_behind(data_folder, os.getpid())
    settings = load_settings()
    assert (settings.nats_url, settings.postgres_dsn) == ("nats://kept:1", "postgresql://kept/x")
    assert (settings.site, settings.mqtt_port, settings.port) == ("kept", 7, 9)


def test_the_environment_goes_before_a_running_up(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind(data_folder, os.getpid())
    monkeypatch.setenv("DISPATCH_NATS_URL", "nats://named:2")
    monkeypatch.setenv("DISPATCH_PORT", "8090")
    settings = load_settings()
    assert (settings.nats_url, settings.postgres_dsn, settings.port) == ("nats://named:2", "postgresql://kept/x", 8090)


@pytest.mark.parametrize("content", ["", "not json", "{}", "[1]", '{"pid": "x"}'])
def test_a_torn_servers_file_names_no_servers(data_folder: Path, content: str) -> None:
    (data_folder / "servers.json").write_text(content)
    assert running_servers(load_settings()) is None


def test_an_up_that_has_ended_names_no_servers(data_folder: Path) -> None:
    left_behind(data_folder, 2**22)
    with pytest.raises(SetupError, match="dispatch up") as nowhere:
        load_settings().require_nats()
    assert f"nothing runs on {data_folder}" in nowhere.value.detail, "whoever forgot DISPATCH_DATA sees where it looked"
    with pytest.raises(SetupError, match="DISPATCH_POSTGRES_DSN"):
        load_settings().require_postgres()


def test_each_value_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCH_PORT", "eighty")
    monkeypatch.setenv("DISPATCH_SITE", "a.b")
    with pytest.raises(SetupError, match=r"DISPATCH_SITE='a\.b'.*DISPATCH_PORT='eighty'"):
        load_settings()


def test_the_public_url_goes_before_host_and_port() -> None:
    assert Settings(port=1).url == "http://127.0.0.1:1"
    assert Settings(public_url="https://calls.example/").url == "https://calls.example"


def test_the_callout_seed_is_not_shown() -> None:
    assert "SAABC" not in repr(Settings.model_validate({"auth_callout_seed": "SAABC"}))


@pytest.mark.parametrize("contact", ["mailto:duty@dispatch.example", "https://dispatch.example/contact"])
def test_a_contact_is_what_push_services_are_told(contact: str) -> None:
    assert contact_of(Settings(contact=contact, public_url="https://calls.example")) == contact


def test_without_a_contact_it_is_our_address_if_it_is_https() -> None:
    assert contact_of(Settings(public_url="https://calls.example/")) == "https://calls.example"
    assert contact_of(Settings()).startswith("mailto:")


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("DISPATCH_CONTACT", "duty@dispatch.example", "write it like mailto:"),
        ("DISPATCH_CONTACT", "mailto:duty", "write it like mailto:"),
        ("DISPATCH_CONTACT", "https://", "write it like mailto:"),
        ("DISPATCH_CONTACT", "http://dispatch.example", "write it like mailto:"),
        ("DISPATCH_TIMEZONE", "Beijing", "like Asia/Shanghai"),
        ("DISPATCH_TIMEZONE", "../../etc", "like Asia/Shanghai"),
        ("DISPATCH_MQTT_PORT", "70000", "less than or equal to 65535"),
    ],
)
def test_a_value_that_cannot_be_used_comes_with_advice(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, advice: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=f"{name}='{value}': .*{advice}"):
        load_settings()


def test_the_runbook_has_every_setting_and_no_other() -> None:
    runbook = (Path(__file__).parents[2] / "deploy" / "RUNBOOK.md").read_text()
    rows = re.findall(r"^\| (`DISPATCH_.*?) \|", runbook, flags=re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`DISPATCH_(\w+)`", row)]
    assert sorted(documented) == sorted(name.upper() for name in Settings.model_fields)
