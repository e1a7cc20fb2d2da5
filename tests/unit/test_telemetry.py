"""Logs: one JSON object per event, with role and bound ids, and without secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import weakref
from collections.abc import Iterator
from time import process_time
from typing import Literal

import pytest
import structlog

from dispatch.settings import Settings
from dispatch.telemetry import LATE_SECONDS, configure, configure_command, hide_secrets
from tests.waiting import until


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**before[2])


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    event: dict[str, object] = json.loads(capsys.readouterr().err.splitlines()[-1])
    return event


def test_an_event_carries_role_level_time_and_bound_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure("fanout", Settings())
    with structlog.contextvars.bound_contextvars(case="h-1-ABCDEFGH", press="p1"):
        structlog.get_logger("dispatch.fanout").info("called", responder="p-7")
    event = last(capsys)
    time = str(event.pop("timestamp"))
    assert time.endswith("Z")
    assert event == {
        "message": "called",
        "level": "info",
        "logger": "dispatch.fanout",
        "role": "fanout",
        "case": "h-1-ABCDEFGH",
        "press": "p1",
        "responder": "p-7",
    }


async def test_what_is_no_warning_is_written_a_moment_later_in_the_order_in_which_it_was_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("fanout", Settings())
    said, seen = structlog.get_logger("dispatch.fanout"), list[dict[str, object]]()

    def written() -> int:
        seen.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
        return len(seen)

    with structlog.contextvars.bound_contextvars(case="h-1-ABCDEFGH"):
        said.info("first")
    said.info("second")
    assert written() == 0
    await until(lambda: written() == 2, "both lines")
    assert [(line["message"], line.get("case")) for line in seen] == [("first", "h-1-ABCDEFGH"), ("second", None)]
    said.info("third")
    said.warning("fourth")
    assert written() == 4
    said.info("fifth")
    logging.shutdown([weakref.ref(logging.getLogger().handlers[0])])
    assert written() == 5
    assert [line["message"] for line in seen[2:]] == ["third", "fourth", "fifth"]


async def test_what_a_library_says_is_written_at_once_behind_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    structlog.get_logger("x").info("ours")
    logging.getLogger("somebody").info("theirs")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["ours", "theirs"]


async def test_a_line_that_cannot_be_written_stops_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    configure("serve", Settings())
    structlog.get_logger("x").info("odd", what=Odd())
    structlog.get_logger("x").info("plain")
    structlog.get_logger("x").warning("end")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [json.loads(line)["message"] for line in lines] == ["plain", "end"]


def test_what_one_event_loop_left_is_written_by_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())

    async def say(line: str, seconds: float) -> None:
        structlog.get_logger("x").info(line)
        await asyncio.sleep(seconds)

    asyncio.run(say("first", 0))
    asyncio.run(say("second", 10 * LATE_SECONDS))
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["first", "second"]


def test_libraries_speak_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    logging.getLogger("aiohttp.server").error("request %s failed", 7)
    event = last(capsys)
    assert (event["message"], event["level"], event["role"]) == ("request 7 failed", "error", "serve")


def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    structlog.get_logger("x").warning("up", url="nats://dispatch:hush@127.0.0.1:1", token="hush", p256dh="hush", ok=1)
    line = capsys.readouterr().err
    assert "hush" not in line
    assert "nats://dispatch:***@127.0.0.1:1" in line


@pytest.mark.parametrize(
    "value",
    [
        {("sms", "p-1"): "https://u:hush@x/", "p-2": 1},
        b"https://u:hush@x/",
        Settings(nats_url="nats://dispatch:hush@127.0.0.1:1"),
        "BARKS://hush@host/",
        "HTTPS://API.DAY.APP/hush",
        "https://x/?Token=hush",
    ],
    ids=["keys that are no text", "bytes", "any object", "an address", "a host", "a query"],
)
def test_secrets_are_hidden_whatever_they_stand_in(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    structlog.get_logger("x").warning("up", what=value)
    line = capsys.readouterr().err
    assert json.loads(line)["message"] == "up"
    assert "hush" not in line


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings(log_level="warning"))
    structlog.get_logger("x").info("quiet")
    logging.getLogger("aiohttp.access").info("GET /")
    assert not capsys.readouterr().err


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    try:
        int("nats://dispatch:hush@x")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    event = last(capsys)
    assert "ValueError" in str(event["exception"])
    assert "hush" not in str(event["exception"])


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings(log_format="console"))
    structlog.get_logger("x").info("ready", port=8080)
    line = capsys.readouterr().err
    assert "ready" in line
    assert "8080" in line
    assert not line.startswith("{")


def test_beside_a_command_only_warnings_are_logged_unless_more_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_command(Settings())
    structlog.get_logger("x").info("press.accepted")
    assert capsys.readouterr().err == ""
    structlog.get_logger("x").warning("nats.away")
    assert last(capsys)["message"] == "nats.away"
    configure_command(Settings(log_level="info"))
    structlog.get_logger("x").info("press.accepted")
    assert last(capsys)["role"] == "cli"


def test_on_a_terminal_a_warning_is_a_line_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for settings, is_json in ((Settings(), False), (Settings(log_format="json"), True)):
        configure_command(settings)
        structlog.get_logger("x").warning("nats.away")
        assert capsys.readouterr().err.startswith("{") == is_json


def test_for_people_a_traceback_is_without_what_its_variables_hold(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings(log_format="console"))
    phone = "+8613800000001"
    try:
        phone.index("x")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    said = capsys.readouterr().err
    assert "ValueError: substring not found" in said
    assert phone not in said


def unreachable(url: str) -> None:
    raise ConnectionError(f"no answer from {url}")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_is_without_secrets_in_either_format(
    log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure("serve", Settings(log_format=log_format))
    try:
        unreachable("nats://bob:hunter2@127.0.0.1:4222")
    except ConnectionError as error:
        structlog.get_logger("x").exception("failed", error=error)
        logging.getLogger("library").exception("failed")
    said = capsys.readouterr().err
    assert said.count("Traceback") == 2
    assert "ConnectionError: no answer from nats://bob:***@127.0.0.1:4222" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("nats://:hush@h:4222,nats://b:hu@sh@i:4222", "nats://:***@h:4222,nats://b:***@i:4222"),
        ("POST https://api.day.app/hush/alarm failed", "POST https://api.day.app/*** failed"),
        ("('https://open.feishu.cn/open-apis/bot/v2/hook/hush')", "('https://open.feishu.cn/***')"),
        ("https://hooks.slack.com/services/hush/hush", "https://hooks.slack.com/***"),
        ("https://api.telegram.org/bothush:hush/getMe", "https://api.telegram.org/***"),
        ("https://fcm.googleapis.com/fcm/send/hush", "https://fcm.googleapis.com/***"),
        ("https://updates.push.services.mozilla.com/wpush/v2/hush", "https://updates.push.services.mozilla.com/***"),
        ("https://x.cn/cgi-bin/webhook/send?key=hush&a=b", "https://x.cn/cgi-bin/webhook/send?key=***&a=b"),
        ("https://x.cn/robot/send?a=b&access_token=hush", "https://x.cn/robot/send?a=b&access_token=***"),
        ("failed with url: /hush/alarm (Caused by x)", "failed with url: *** (Caused by x)"),
        ("barks://push.example/hush, and more", "barks://*** and more"),
        ("https://dispatch.example/v1/cases?area=v-1", "https://dispatch.example/v1/cases?area=v-1"),
    ],
)
def test_secrets_inside_addresses_are_hidden(said: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    structlog.get_logger("x").warning("away", why=said)
    assert last(capsys)["why"] == shown


def test_secrets_inside_lists_and_tables_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    configure("serve", Settings())
    failed = {"apprise: no answer from barks://push.example/hush": ["p-1"], "urls": ("https://u:hush@x.cn", 7)}
    structlog.get_logger("x").warning("calls.made", failed=failed, settings={"sms_password": "hush"})
    event = last(capsys)
    assert event["failed"] == {"apprise: no answer from barks://***": ["p-1"], "urls": ["https://u:***@x.cn", 7]}
    assert event["settings"] == {"sms_password": "***"}


def test_a_long_word_is_looked_through_once() -> None:
    began = process_time()
    hide_secrets(None, "warning", {"event": "a" * 64_000 + "://"})
    assert process_time() - began < 1
