"""`dispatch case`, `dlq` and `rebuild` as processes, on a real log and a real Postgres."""

from __future__ import annotations

import asyncio
import csv
import fcntl
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from openpyxl import load_workbook

from dispatch.archive import Archivist
from dispatch.cases import CaseDesk, Hold
from dispatch.clock import now
from dispatch.events import CaseLog, bury, connect, ensure_streams, follow
from dispatch.identifiers import AreaId, CaseId, CommitId, HouseholdId, PersonId
from dispatch.projections import Projector, ReadModels
from dispatch.projections.shadow import queries
from dispatch.roster import Area, Household, LeftOut, Person, Roster
from dispatch.settings import Settings
from tests.commands import dispatch, environment_of
from tests.projection_stories import NOON, answered, projecting, recorded, tell
from tests.waiting import until

Result = tuple[int, str, str]


class Terminal:
    """Somebody who gives commands, on a site where Li's house has called for help."""

    def __init__(self, settings: Settings, nc: Client, case: CaseId) -> None:
        self.nc, self.case, self._settings = nc, case, settings

    async def run(self, *arguments: str, postgres: str | None = None, columns: int = 200) -> Result:
        environment = environment_of(self._settings, columns=columns)
        if postgres is not None:
            environment["DISPATCH_POSTGRES_DSN"] = postgres
        return await dispatch(*arguments, env=environment)

    async def json(self, *arguments: str) -> Any:
        code, out, err = await self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
async def terminal(settings: Settings) -> AsyncIterator[Terminal]:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    roster = Roster(nc, settings.site)
    await roster.put(Area(id=AreaId("village"), name="茅州村", kind="village"), by="test")
    await roster.put(Area(id=AreaId("hamlet"), name="散花村", kind="village"), by="test")
    await roster.put(
        Household(id=HouseholdId("h-1"), name="李家", address="一组1号", area=AreaId("village"), note="院内有狗"),
        by="test",
    )
    await roster.put(Person(id=PersonId("p-1"), name="王芳", phone="+8613800000001"), by="test")
    case = await tell(
        CaseLog(nc, settings.site),
        "h-1",
        recorded("r", 1, ("p-1", "live", "delivered")),
        answered("p-1", "going", 4, 5),
    )
    yield Terminal(settings, nc, case)
    await nc.close()


async def test_the_month_on_a_terminal_and_as_files(terminal: Terminal, settings: Settings, tmp_path: Path) -> None:
    log = CaseLog(terminal.nc, settings.site)
    models = ReadModels(settings.require_postgres(), settings.site)
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)
    await models.close()
    month = ("report", "--month", f"{NOON:%Y-%m}", "--area", "village")
    found = await terminal.json(*month)
    assert (found["area_name"], found["total"]["cases"]) == ("茅州村", 1)
    assert found["total"]["steps"]["answered"]["share"] == 1.0
    _, screen, _ = await terminal.run(*month)
    assert all(word in screen for word in ("茅州村", "本月 this month", "100.0% 1/1"))
    files = tmp_path / "月报.csv", tmp_path / "月报.xlsx"
    code, out, err = await terminal.run(*month, "--csv", str(files[0]), "--xlsx", str(files[1]))
    assert (code, out) == (0, ""), err
    rows = len(list(csv.reader(io.StringIO(files[0].read_text("utf-8-sig"))))) - 1
    assert f"写入 written: {files[0]}，{rows} 行" in err
    rows = sum(sheet.max_row for sheet in load_workbook(files[1])) - 8
    assert f"写入 written: {files[1]}，{rows} 行" in err
    first, second, *_ = csv.reader(io.StringIO(files[0].read_text("utf-8-sig")))
    assert dict(zip(first, second, strict=True))["警情 cases"] == "1"
    assert len(load_workbook(files[1]).sheetnames) == 8
    for wrong, said, exit_code in (
        ("2026-13", "month '2026-13' is not a month; write it like 2026-11", 2),
        ("soon", "write it like 2026-11", 2),
    ):
        code, _, err = await terminal.run("report", "--month", wrong)
        assert (code, said in err) == (exit_code, True)
    code, _, err = await terminal.run("report", "--area", "nowhere")
    assert (code, "there is no area 'nowhere'" in err) == (1, True)


async def test_the_board_on_a_terminal(terminal: Terminal, settings: Settings) -> None:
    log = CaseLog(terminal.nc, settings.site)
    models = ReadModels(settings.require_postgres(), settings.site)
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)
    await models.close()
    listed = await terminal.json("case", "list")
    assert [(row["case_id"], row["status"]) for row in listed["cases"]] == [(terminal.case, "under_way")]
    assert listed["next"] is None
    assert [row["case_id"] for row in (await terminal.json("case", "list", "--area", "village"))["cases"]] == [
        terminal.case
    ]
    assert (await terminal.json("case", "list", "--area", "hamlet"))["cases"] == []
    code, out, err = await terminal.run("case", "list", "--area", "nowhere")
    assert (code, out, "there is no area 'nowhere'" in err) == (1, "", True)
    _, screen, _ = await terminal.run("case", "list")
    assert all(word in screen for word in (terminal.case, "李家", "茅州村", "前往中 under way", "火警 fire", "1/0/3"))
    _, screen, _ = await terminal.run("case", "list", columns=80)
    assert f" {terminal.case} " in screen
    assert "…" not in screen


async def test_a_rebuild_on_a_terminal(terminal: Terminal, settings: Settings) -> None:
    log = CaseLog(terminal.nc, settings.site)
    models = ReadModels(settings.require_postgres(), settings.site)
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)
    await models.close()
    names = {"board", "calls", "latency", "reachability", "responses", "timeline"}
    compared = await terminal.json("rebuild", "--compare-only")
    assert (compared["rebuilt"], {one["projection"] for one in compared["compared"]}) == ([], names)
    assert {(one["differ"], one["because"]) for one in compared["compared"]} == {(0, None)}

    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("update board set kind = 'weather'")
    code, out, err = await terminal.run("rebuild", "board", "--compare-only")
    assert (code, "未变" in out) == (0, True), err
    assert f"{terminal.case} kind: 'weather' → 'fire'" in err
    assert [row["kind"] for row in (await terminal.json("case", "list"))["cases"]] == ["weather"]
    code, out, err = await terminal.run("rebuild", "board", "--yes")
    assert "{" not in err, "no log lines on the screen"
    assert (code, out, "1 行不同 rows differ" in err) == (0, "已重建 rebuilt: board\n", True), err
    assert [row["kind"] for row in (await terminal.json("case", "list"))["cases"]] == ["fire"]
    code, _, err = await terminal.run("rebuild", "weather", "--yes")
    assert (code, "weather" in err, "board" in err) == (2, True, True)
    code, _, err = await terminal.run("rebuild")
    assert (code, "--yes" in err) == (2, True), "nobody is asked where nobody is"
    site = settings.site
    await connection.execute(queries.alone, site)
    code, _, err = await terminal.run("rebuild", "--yes")
    assert (code, "already" in err) == (1, True), err
    await connection.close()


async def test_a_case_is_shown_without_postgres(terminal: Terminal) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    code, screen, err = await terminal.run("case", "show", terminal.case, postgres=nowhere)
    assert code == 0, err
    assert all(
        word in screen for word in ("李家", " p-1 ", "王芳", "+8613800000001", "前往 going 5 min", "送达 delivered")
    )
    code, screen, err = await terminal.run("case", "timeline", terminal.case, postgres=nowhere)
    assert code == 0, err
    assert all(word in screen for word in ("报警 raised", "王芳: 页面 page 送达 delivered", "王芳: 前往 going, 5 min"))
    code, _, err = await terminal.run("case", "list", postgres=nowhere)
    assert (code, "read models do not answer" in err) == (1, True)


async def test_what_has_to_be_seen_now_of_a_case_stands_below_all_who_were_called(terminal: Terminal) -> None:
    assert (await terminal.run("case", "hand-over", terminal.case))[0] == 0
    _, screen, _ = await terminal.run("case", "show", terminal.case)
    people, _, now_seen = screen.partition(terminal.case)
    assert "+8613800000001" in people
    told = ("前往中 under way", "院内有狗", "1/0，还缺 1 more needed", "自行拨打110 not told")
    assert [words for words in told if words not in now_seen] == []


async def test_a_case_is_found_by_its_id_in_small_letters(terminal: Terminal) -> None:
    assert (await terminal.json("case", "show", terminal.case.lower()))["id"] == terminal.case


async def test_who_has_answered_is_not_stood_down_without_a_word(terminal: Terminal) -> None:
    code, _, err = await terminal.run("case", "stand-down", terminal.case, "p-2", "p-1")
    assert (code, "p-1 has answered (going) and is told nothing by this" in err) == (1, True), err
    shown = await terminal.json("case", "show", terminal.case)
    assert [one["id"] for one in shown["responders"] if one["stood_down"]] == []


async def test_it_is_said_whether_anything_was_changed_and_what_is_to_come(terminal: Terminal) -> None:
    for deed, said in (
        (["resume"], "nothing was changed"),
        (["widen"], f"it widens now; who is rung: dispatch case show {terminal.case}"),
        (["widen"], "nothing was changed"),
        (["answer", "p-2", "cannot"], ""),
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, said in err, bool(err)) == (0, True, bool(said)), err


async def test_at_80_columns_numbers_stand_whole_and_no_word_of_a_note_is_lost(terminal: Terminal) -> None:
    long = "".join(chr(0x4E00 + n) for n in range(600))
    assert (await terminal.run("case", "note", terminal.case, long))[0] == 0
    for command in ("show", "timeline"):
        code, screen, err = await terminal.run("case", command, terminal.case, columns=80)
        assert code == 0, err
        assert "…" not in screen
        assert long in "".join(character for character in screen if 0x4E00 <= ord(character) < 0x4E00 + 600)
    assert " +8613800000001 " in (await terminal.run("case", "show", terminal.case, columns=80))[1]


async def test_a_case_is_noted_and_closed_once(terminal: Terminal) -> None:
    noted = await terminal.json("case", "note", terminal.case, "门锁着", "--by", "li")
    assert [(note["author"], note["text"]) for note in noted["notes"]] == [("li", "门锁着")]
    noted = await terminal.json("case", "note", terminal.case, "--text", "邻居有钥匙", "--by", "li")
    assert [note["text"] for note in noted["notes"]] == ["门锁着", "邻居有钥匙"]
    closed = await terminal.json("case", "resolve", terminal.case, "--resolution", "handed_over", "--text", "已移交")
    assert (closed["status"], closed["closing"]["resolution"]) == ("resolved", "handed_over")
    code, _, err = await terminal.run("case", "cancel", terminal.case)
    assert (code, "is over (resolved)" in err) == (1, True)
    entries = (await terminal.json("case", "timeline", terminal.case))["entries"]
    assert [entry["type"] for entry in entries][-2:] == ["case_noted", "case_resolved"]


async def test_what_is_done_at_the_desk_is_done_from_a_terminal(terminal: Terminal) -> None:
    by = ("--by", "li")

    async def done(deed: str, *arguments: str) -> Any:
        return await terminal.json("case", deed, terminal.case, *arguments)

    paused = (await done("pause", "--minutes", "10", *by))["escalation"]
    assert (paused["paused_by"], paused["waits_for"]["because"]) == ("li", "pause_over")
    left = datetime.fromisoformat(paused["paused_until"]) - now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert "li 已暂停 paused it，至 until" in (await terminal.run("case", "show", terminal.case))[1]
    resumed = (await done("resume", "--by", "wang"))["escalation"]
    assert (resumed["paused_until"], resumed["waits_for"]["because"]) == (None, "no_answer")
    assert (await done("widen", *by))["escalation"]["waits_for"]["because"] == "operator"
    assert [one["id"] for one in (await done("stand-down", "p-2", *by))["responders"] if one["stood_down"]] == ["p-2"]
    assert "已解除 stood down" in (await terminal.run("case", "show", terminal.case))[1]
    called = (await done("call", "p-1", *by))["responders"]
    assert {role["role"] for one in called if one["id"] == "p-1" for role in one["roles"]} == {"member", "asked"}
    answered = {one["id"]: one for one in (await done("answer", "p-3", "going", "--eta", "7"))["responders"]}
    assert (answered["p-3"]["answer"], answered["p-3"]["eta_minutes"]) == ("going", 7)
    handed_over = await done("hand-over", *by)
    assert (handed_over["status"], handed_over["handed_over"]["by"]) == ("under_way", "li")
    code, _, err = await terminal.run("case", "hand-over", terminal.case)
    assert (code, "+08:00 by operator:li; --again does it once more" in err) == (1, True), err
    await done("hand-over", "--again", *by)
    told = (await terminal.run("case", "timeline", terminal.case))[1]
    words = ("暂停升级 paused", "继续升级 resumed", "要求升级 widening asked", "解除 stood down", "移交110 handed over")
    assert [word for word in words if word not in told] == []
    await done("resolve")
    for deed in (
        ["widen"],
        ["pause"],
        ["resume"],
        ["stand-down"],
        ["stand-down", "p-3"],
        ["call", "p-1"],
        ["hand-over"],
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, "is over (resolved)" in err) == (1, True), deed


async def test_nobody_is_named_on_a_terminal_who_has_no_part_in_it(terminal: Terminal) -> None:
    for deed, said in (
        (["call", "nobody"], "`dispatch roster list person` shows those there are"),
        (["stand-down", "nobody"], "'nobody' was not called for case"),
        (["answer", "nobody", "going"], "'nobody' was not for case"),
    ):
        code, _, err = await terminal.run("case", deed[0], terminal.case, *deed[1:])
        assert (code, said in err) == (1, True), err


async def test_who_is_left_out_is_called_from_a_terminal_by_who_insists(terminal: Terminal, settings: Settings) -> None:
    """By the case itself, and by the roster alone."""
    roster, out = Roster(terminal.nc, settings.site), LeftOut(person=PersonId("p-9"), by="op", at=now(), reason="打人")
    await roster.put(Person(id=out.person, name="张强"), by="test")
    home = await roster.household(HouseholdId("h-1"))
    assert home is not None
    await roster.put(replace(home, left_out=(out,)), by="test")
    assert (await terminal.run("roster", "leave-out", "h-1", "p-1", "--reason", "打人"))[0] == 0
    for person in ("p-1", "p-9"):
        code, _, err = await terminal.run("case", "call", terminal.case, person)
        assert (code, "(不得呼叫); --even-left-out calls them all the same" in err) == (1, True), err
        called = await terminal.json("case", "call", terminal.case, person, "--even-left-out")
        assert "asked" in {role["role"] for one in called["responders"] if one["id"] == person for role in one["roles"]}


async def test_a_case_that_a_restore_holds_is_not_resumed_from_a_terminal(
    terminal: Terminal, settings: Settings
) -> None:
    held = Hold(id=CommitId("restore"), at=now(), until=now() + timedelta(minutes=30))
    await CaseDesk(CaseLog(terminal.nc, settings.site)).handle(terminal.case, held)
    assert "由备份恢复，暂停 held" in (await terminal.run("case", "show", terminal.case))[1]
    for deed in ("resume", "pause"):
        code, _, err = await terminal.run("case", deed, terminal.case)
        assert (code, "Widen it if it goes on; close it if it is over" in err) == (1, True), err


@pytest.mark.parametrize(
    ("arguments", "complaint", "expected"),
    [
        (("case", "show", "h-1-AAAAAAAA"), "there is no case", 1),
        (("case", "show", "nope"), "'nope' is not a case id: one is the household and eight letters or digits", 2),
        (("case", "timeline", "h-1"), "like h-0002-7K3M9QXZ; `dispatch case list --status all`", 2),
        (("case", "note", "h-1", "门锁着"), "`dispatch case list --status all`", 2),
        (("case", "list", "--status", "lost"), "status", 2),
        (("case", "resume", "h-1-AAAAAAAA"), "there is no case", 1),
        (("case", "note", "h-1-AAAAAAAA", " "), "text", 2),
        (("case", "note", "h-1-AAAAAAAA"), "--text", 2),
        (("case", "note", "h-1-AAAAAAAA", "门锁着", "--text", "门锁着"), "once", 2),
    ],
)
async def test_what_is_wrong_is_named(
    terminal: Terminal, arguments: tuple[str, ...], complaint: str, expected: int
) -> None:
    code, _, err = await terminal.run(*arguments)
    assert (code, complaint in err) == (expected, True), err


async def test_dead_letters_are_listed(terminal: Terminal, settings: Settings) -> None:
    assert (await terminal.run("dlq", "list", "--json"))[:2] == (0, "")
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        await bury(terminal.nc.jetstream(), settings.site, "project", message, "nobody could read it")
        break
    letter = await terminal.json("dlq", "list")
    assert (letter["by"], letter["reason"], letter["stream"]) == ("project", "nobody could read it", "CASES")
    assert "nobody could read it" in (await terminal.run("dlq", "list"))[1]


async def test_dead_letters_are_tried_again_or_put_aside(terminal: Terminal, settings: Settings) -> None:
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        for by in ("project", "weather"):
            await bury(terminal.nc.jetstream(), settings.site, by, message, "nobody could read it")
        break
    async with projecting(Projector(terminal.nc, CaseLog(terminal.nc, settings.site), settings.require_postgres())):
        pass
    found = [letter["letter"] for letter in await lines(terminal, "dlq", "list")]
    weather, project = found
    code, _, err = await terminal.run("dlq", "retry", str(project))
    assert (code, "--yes" in err) == (2, True), "nobody is asked where nobody is"
    code, out, err = await terminal.run("dlq", "retry", "--all", "--yes")
    assert (code, f"#{project} 已重试 done" in out, f"#{weather} " in out) == (0, True, False), err
    assert [letter["letter"] for letter in await lines(terminal, "dlq", "list")] == [weather]
    code, _, err = await terminal.run("dlq", "retry", str(weather), "--yes")
    assert (code, "dismiss it" in err) == (1, True)

    code, out, err = await terminal.run("dlq", "dismiss", str(weather), "--reason", "试验", "--yes", "--by", "li")
    assert (code, f"dispatch dlq reopen {weather}" in out) == (0, True), err
    shown = await terminal.json("dlq", "show", str(weather))
    assert (shown["state"], shown["mark"]["by"], shown["mark"]["reason"]) == ("dismissed", "operator:li", "试验")
    assert "李" not in (await terminal.run("dlq", "list"))[1]
    assert [one["state"] for one in await lines(terminal, "dlq", "list", "--all")] == ["dismissed", "retried"]
    assert (await terminal.run("dlq", "reopen", str(weather)))[0] == 0
    screen = (await terminal.run("dlq", "list"))[1]
    assert all(word in screen for word in ("h-1", "weather", "nobody could read it", "待处理 open"))
    assert (await terminal.run("dlq", "show", "99999999"))[0] == 1


async def lines(terminal: Terminal, *arguments: str) -> list[Any]:
    code, out, err = await terminal.run(*arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    "arguments",
    [("retry",), ("retry", "1", "--all"), ("retry", "0"), ("dismiss", "1"), ("dismiss", "1", "--reason", " ", "--yes")],
)
async def test_what_is_typed_wrongly_about_letters(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    async for message in follow(terminal.nc, "CASES", "cases.*.*.*"):
        await bury(terminal.nc.jetstream(), "any", "weather", message, "x")
        break
    code, out, err = await terminal.run("dlq", *arguments)
    assert (code, out) == (2, ""), err


async def test_archive_log_and_read_models_are_proved_to_agree(terminal: Terminal, settings: Settings) -> None:
    log = CaseLog(terminal.nc, settings.site)
    models = ReadModels(settings.require_postgres(), settings.site)
    archivist = asyncio.create_task(Archivist(terminal.nc, settings.site, settings.archive_folder).run())
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)

        async def archived() -> bool:
            return (await asyncio.to_thread(_head, settings.archive_folder)) >= await log.last_sequence()

        await until(archived, "the archive to have come to the end")
    await models.close()
    code, out, err = await terminal.run("verify")
    assert (code, "as they were written" in out) == (0, True), err
    assert out.splitlines()[-1].startswith("全部一致 everything agrees")
    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("update latency set kind = 'weather'")
    await connection.close()
    code, out, err = await terminal.run("verify")
    assert (code, "not as the log has it: latency" in err.splitlines()[-1]) == (1, True), err
    assert "agrees" not in out
    archivist.cancel()
    await asyncio.wait({archivist})
    segment = settings.archive_folder / "CASES" / str(head_of(settings.archive_folder)["segment"])
    segment.write_bytes(segment.read_bytes()[:-3] + b'0"}\n')
    code, _, err = await terminal.run("verify")
    assert (code, f"{segment}:" in err) == (1, True), err


async def test_a_backup_is_proved_by_its_seal(terminal: Terminal, tmp_path: Path) -> None:
    seal = (await terminal.json("backup", str(tmp_path / "kept")))["seal"]
    code, out, err = await terminal.run("verify", str(tmp_path / "kept"), "--seal", seal)
    assert (code, out.splitlines()[-1]) == (0, "备份完好 the backup is as it was made"), err
    for wrong, said in (
        (seal[:8], "is too short: a seal is 64 characters, and this has 8"),
        (seal + "0", "is too long: a seal is 64 characters, and this has 65"),
        ("…" * 64, "is not a seal"),
    ):
        code, _, err = await terminal.run("verify", str(tmp_path / "kept"), "--seal", wrong)
        assert (code, said in err) == (2, True), err
    code, _, err = await terminal.run("verify", "--seal", seal)
    assert (code, "name its folder" in err) == (2, True), err


async def test_a_restore_into_the_folder_of_a_running_system_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    assert (await terminal.run("backup", str(tmp_path / "kept")))[0] == 0
    (tmp_path / "running").mkdir()
    with (tmp_path / "running" / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = await terminal.run("restore", str(tmp_path / "kept"), "--data", str(tmp_path / "running"))
    assert code == 1
    assert f"{tmp_path / 'running'} is in use by a running `dispatch up`: give `restore` another folder" in err


def _head(archive: Path) -> int:
    return int(head_of(archive)["seq"]) if (archive / "CASES" / "head.json").exists() else 0


def head_of(archive: Path) -> dict[str, Any]:
    head: dict[str, Any] = json.loads((archive / "CASES" / "head.json").read_text())
    return head
