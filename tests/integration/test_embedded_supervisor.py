"""Supervision: what dies is started again, what will not stay up is reported, and all ends in order."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch.embedded.logs import READ_AT_ONCE, Follower, bound, last_lines
from dispatch.embedded.supervisor import Role, Supervisor, errors_in, pause_after
from tests.waiting import until

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
NOTES_ITS_END = """
import pathlib, signal, sys, time
def end(*_):
    with pathlib.Path(sys.argv[2]).open("a") as order:
        order.write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


class Reports(list[tuple[str, str]]):
    async def wait_for(self, part: str) -> tuple[str, str]:
        def found() -> tuple[str, str] | None:
            return next((report for report in self if part in report[0]), None)

        return await until(found, f"a report of {part!r}")


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def supervisor(reports: Reports) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(lambda line, log: reports.append((line, log)))
    yield supervisor
    await supervisor.stop()


async def started_anew(role: Role, first: int | None, *, seconds: float) -> None:
    await until(lambda: role.child.pid != first and role.child.running, "the role to be started anew", seconds=seconds)


async def test_what_dies_is_started_again_at_once(tmp_path: Path, supervisor: Supervisor, reports: Reports) -> None:
    role = Role("fanout", tmp_path, {}, SLEEPS)
    await supervisor.start(role)
    first = role.child.pid
    await role.child.kill()
    await reports.wait_for("fanout was ended by signal 9; starting it again")
    await started_anew(role, first, seconds=5)


async def test_a_start_that_fails_as_nobody_expected_is_reported_and_tried_again(
    tmp_path: Path, supervisor: Supervisor, reports: Reports
) -> None:
    class Odd(Role):
        starts = 0

        async def start(self) -> None:
            self.starts += 1
            if self.starts == 2:
                raise RuntimeError("nobody expected it")
            await super().start()

    role = Odd("fanout", tmp_path, {}, SLEEPS)
    await supervisor.start(role)
    first = role.child.pid
    await role.child.kill()
    await reports.wait_for("fanout cannot start: RuntimeError")
    await started_anew(role, first, seconds=20)


async def test_a_log_that_could_not_be_read_is_read_on(
    tmp_path: Path, supervisor: Supervisor, reports: Reports
) -> None:
    role = Role("fanout", tmp_path, {}, SLEEPS)
    await supervisor.start(role)
    role.child.log.unlink(missing_ok=True)
    role.child.log.mkdir()
    await reports.wait_for("fanout: its log cannot be read")
    role.child.log.rmdir()
    role.child.log.write_text('{"level": "error", "message": "lanes.broken"}\n')
    await reports.wait_for("fanout: lanes.broken")


async def test_what_nobody_expected_in_a_log_hides_no_later_error(
    tmp_path: Path, supervisor: Supervisor, reports: Reports
) -> None:
    role = Role("fanout", tmp_path, {}, SLEEPS)
    await supervisor.start(role)
    with role.child.log.open("a") as log:
        log.write('{"level": ["error"]}\n')
    await reports.wait_for("fanout: its log cannot be read: TypeError")
    with role.child.log.open("a") as log:
        log.write('{"level": "error", "message": "call.error"}\n')
    await reports.wait_for("fanout: call.error")


async def test_what_will_not_stay_up_is_reported_with_its_last_words(
    tmp_path: Path, supervisor: Supervisor, reports: Reports
) -> None:
    await supervisor.start(Role("watch", tmp_path, {}, [sys.executable, "-c", "raise SystemExit('no clock')"]))
    line, log = await reports.wait_for("3 times in a row")
    assert line.startswith("watch stopped with exit code 1")
    assert "no clock" in log


async def test_roles_end_in_the_order_asked_for(tmp_path: Path, supervisor: Supervisor) -> None:
    order = tmp_path / "order"
    for name in ("servers", "watch", "serve", "fanout"):
        role = Role(name, tmp_path, {}, [sys.executable, "-c", NOTES_ITS_END, name, str(order)])
        await supervisor.start(role)
        await until(lambda role=role: "ready" in role.child.last_lines(), f"{name} to be ready", seconds=10)  # type: ignore[misc, arg-type]
    await supervisor.stop(first=("serve", "fanout", "watch"))
    assert order.read_text().split() == ["serve", "fanout", "watch", "servers"]


async def test_what_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    role = Role("serve", tmp_path, {}, [sys.executable, "-c", deaf])
    await role.start()
    await until(lambda: "deaf" in role.child.last_lines(), "it to be deaf", seconds=10)
    assert not await role.child.stop(patience=0.2)
    assert await role.child.wait() == -signal.SIGKILL


async def test_a_logged_error_reaches_the_terminal(tmp_path: Path, supervisor: Supervisor, reports: Reports) -> None:
    says = """import time; print('{"level": "error", "message": "no one answers"}', flush=True); time.sleep(60)"""
    await supervisor.start(Role("fanout", tmp_path, {}, [sys.executable, "-c", says]))
    assert await reports.wait_for("no one answers") == ("fanout: no one answers", "")


def test_only_errors_are_taken_from_a_log() -> None:
    lines = ['{"level": "info", "message": "a"}', "plain", '{"level": "critical", "message": "b"}', "[1]", "{"]
    assert list(errors_in(iter(lines))) == ["b"]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            {"message": "work.buried", "job": "press", "subject": "intake.press.demo.h-1", "reason": "no area"},
            "work.buried: no area; press; intake.press.demo.h-1; see `dispatch dlq list`",
        ),
        (
            {"message": "project.buried", "by": "board", "reason": "line\n  broken", "seq": 4},
            "project.buried: line broken; board; see `dispatch dlq list`",
        ),
        (
            {"message": "incident", "kind": "silent_consumer", "what": "fanout", "detail": "x" * 300},
            f"incident: silent_consumer; fanout; {'x' * 200}…; see the alarms of the system on the desk",
        ),
    ],
)
def test_an_error_is_told_with_what_it_is_about_and_where_to_look(event: dict[str, object], told: str) -> None:
    assert list(errors_in(iter([json.dumps(event | {"level": "error"})]))) == [told]


def test_the_pause_grows_to_a_limit() -> None:
    assert [pause_after(deaths) for deaths in (1, 2, 3, 4, 9, 999)] == [0, 0.5, 1, 2, 10, 10]


def test_a_follower_sees_whole_lines_once_and_survives_a_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    follower = Follower(log)
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert list(follower.new_lines()) == ["one"]
        file.write("o\n")
        file.flush()
        assert list(follower.new_lines()) == ["two"]
        bound(log, largest=5)
        file.write("3\n")
        file.flush()
    assert list(follower.new_lines()) == ["3"]
    assert last_lines(log, 5) == "3"
    assert last_lines(log.with_name("log.1"), 2) == "one\ntwo"


def test_a_line_longer_than_is_read_at_once_holds_nothing_back(tmp_path: Path) -> None:
    log = tmp_path / "log"
    follower = Follower(log)
    long = "x" * (2 * READ_AT_ONCE + 3)
    log.write_text(f"{long}\nbehind it\n")
    read = [list(follower.new_lines()) for _ in range(3)]
    assert read == [["x" * READ_AT_ONCE]] * 2 + [["xxx", "behind it"]]
    assert list(follower.new_lines()) == []
