"""`dispatch report`, `case list` and `rebuild` as processes, on a real log and a real Postgres."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import asyncpg
from openpyxl import load_workbook

from dispatch.events import CaseLog
from dispatch.projections import Projector, ReadModels
from dispatch.projections.shadow import queries
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, terminal
from tests.projection_stories import NOON, projecting

__all__ = ("terminal",)


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
    for told in ((), ("--yes",)):
        code, _, err = await terminal.run("rebuild", "weather", *told)
        assert (code, "weather" in err, "board" in err) == (2, True, True)
    code, _, err = await terminal.run("rebuild")
    assert (code, "--yes" in err) == (2, True), "nobody is asked where nobody is"
    site = settings.site
    await connection.execute(queries.alone, site)
    code, _, err = await terminal.run("rebuild", "--yes")
    assert (code, "already" in err) == (1, True), err
    await connection.close()
