"""`dispatch history import` with the real NATS: what goes in, what a second run does, and that nobody hears of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from nats.aio.client import Client

from dispatch.cases import AddNote, CaseDesk
from dispatch.clock import now
from dispatch.errors import Conflict
from dispatch.events import CASES, CaseLog, direct_get
from dispatch.history import import_history
from dispatch.history.importing import AT_ONCE
from dispatch.identifiers import CommitId, Site, past_case_id
from dispatch.roster import Roster
from tests import commands
from tests.waiting import until

Run = Callable[..., Awaitable[tuple[int, str, str]]]
AREAS = "辖区编号,名称,级别,上级辖区\ncounty,某县,county,\na-1,某村,village,county\n"
HEADER = "call_id,kind,area,raised_at,responder_id,called_at,en_route_at,on_scene_at,cleared_at,remarks\n"
ROWS = (
    "17-1,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:01:00,2017-01-01 00:02:00,"
    "2017-01-01 00:05:00,2017-01-01 00:30:00,\n"
    "17-2,medical,a-1,2017-01-01 00:10:00,e-2,2017-01-01 00:11:00,,,,\n"
    "17-1,fire,a-1,2017-01-01 00:00:00,e-2,2017-01-01 00:01:00,,,2017-01-01 00:20:00,\n"
)


@pytest.fixture
async def run(nats_url: str, site: Site, tmp_path: Path) -> Run:
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site, "COLUMNS": "80"}
    areas = tmp_path / "areas.csv"
    areas.write_text(AREAS)

    async def dispatch(*arguments: object) -> tuple[int, str, str]:
        return await commands.dispatch(*arguments, env=environment)

    code, _, errors = await dispatch("roster", "import", areas)
    assert code == 0, errors
    return dispatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(HEADER + ROWS)
    return path


async def stored(nc: Client, pattern: str) -> int:
    return len(await direct_get(nc, CASES, {"next_by_subj": pattern, "seq": 1, "batch": 256}))


async def test_a_header_gives_no_orders_to_the_terminal(run: Run, file: Path) -> None:
    file.write_text(HEADER.replace("remarks", "re\x1b[2Jmarks") + ROWS)
    _, _, errors = await run("history", "import", file, "--timezone", "Asia/Shanghai", "--dry-run")
    assert r"re\x1b[2Jmarks" in errors
    assert "\x1b" not in errors


async def test_past_calls_go_into_the_log_where_nobody_acts_on_them(
    run: Run, file: Path, nc: Client, site: Site
) -> None:
    code, output, errors = await run("history", "import", file, "--timezone", "Asia/Shanghai")
    assert (code, output) == (0, "3 rows read; 2 calls were imported, 0 as they were.\n")
    assert "columns passed over: remarks" in errors
    assert await stored(nc, f"cases.{site}.*.*") == 0
    assert await stored(nc, f"history.{site}.*.*") == 2
    case = await CaseDesk(CaseLog(nc, site)).load(past_case_id("17-1"))
    assert (case.is_imported, case.status, case.alarm.areas) == (True, "resolved", ("a-1", "county"))
    assert case.alarm.at.isoformat() == "2016-12-31T16:00:00+00:00"


async def test_to_run_it_again_changes_nothing(run: Run, file: Path, nc: Client, site: Site) -> None:
    await run("history", "import", file, "--timezone", "Asia/Shanghai")
    shuffled = HEADER + "".join(reversed(ROWS.splitlines(keepends=True)))
    file.write_text(shuffled)
    code, output, _ = await run("history", "import", file, "--timezone", "Asia/Shanghai")
    assert (code, output) == (0, "3 rows read; 0 calls were imported, 2 as they were.\n")
    assert await stored(nc, f"history.{site}.*.*") == 2


async def test_a_call_with_other_facts_than_those_in_the_log_is_a_problem(
    run: Run, file: Path, nc: Client, site: Site
) -> None:
    await run("history", "import", file, "--timezone", "Asia/Shanghai")
    file.write_text(HEADER + ROWS.replace("17-2,medical", "17-2,help"))
    code, _, errors = await run("history", "import", file, "--timezone", "Asia/Shanghai")
    assert code == 1
    assert "was imported before with other facts" in errors
    assert (await CaseDesk(CaseLog(nc, site)).load(past_case_id("17-2"))).kind == "medical"


async def test_nothing_goes_in_when_anything_is_wrong_unless_partial(
    run: Run, file: Path, nc: Client, site: Site
) -> None:
    file.write_text(
        HEADER + ROWS + "17-3,fire,b-9,2017-01-01 00:00:00,,,,,,\n17-4,rain,a-1,2017-01-01 00:00:00,,,,,,\n"
    )
    code, output, errors = await run("history", "import", file, "--timezone", "Asia/Shanghai")
    assert (code, output) == (1, "")
    assert "is not an area of the roster; import the areas first" in errors
    assert "'rain' → is no kind of case" in errors
    assert await stored(nc, f"history.{site}.*.*") == 0
    code, output, _ = await run("history", "import", file, "--timezone", "Asia/Shanghai", "--partial", "--json")
    assert (code, json.loads(output)["written"]) == (1, 2)
    assert await stored(nc, f"history.{site}.*.*") == 2


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--json",), ("--dry-run", "--json")])
async def test_rows_that_run_backwards_go_in_and_are_said(run: Run, file: Path, options: tuple[str, ...]) -> None:
    row = "18-{},fire,a-1,2018-01-01 00:00:00,e-1,2018-01-01 00:01:00,2018-01-01 00:09:00,2018-01-01 00:05:00,,\n"
    file.write_text(HEADER + ROWS + "".join(row.format(number) for number in range(7)))
    code, output, errors = await run("history", "import", file, "--timezone", "Asia/Shanghai", *options)
    assert code == 0, errors
    assert "calls.csv:5:H(on_scene_at) '2018-01-01 00:05:00' → is before en_route_at, 2018-01-01 00:09:00" in errors
    assert errors.count("is before en_route_at") == 5
    assert "7 rows in which a later step is before an earlier one; they count as 时间倒退, see" in errors
    if "--json" in options:
        assert [one["place"]["line"] for one in json.loads(output)["backwards"]] == list(range(5, 12))
    else:
        assert output.startswith("10 rows read; 9 calls ")


async def test_a_dry_run_writes_nothing(run: Run, file: Path, nc: Client, site: Site) -> None:
    code, output, _ = await run("history", "import", file, "--timezone", "Asia/Shanghai", "--dry-run")
    assert (code, output) == (0, "3 rows read; 2 calls can be imported.\n")
    assert await stored(nc, f"history.{site}.*.*") == 0


async def test_a_zone_that_is_none_is_refused(run: Run, file: Path) -> None:
    code, _, errors = await run("history", "import", file, "--timezone", "Mars/Olympus")
    assert code == 2
    assert "is no time zone" in errors


async def test_nothing_is_added_to_an_imported_case(run: Run, file: Path, nc: Client, site: Site) -> None:
    await run("history", "import", file, "--timezone", "Asia/Shanghai")
    note = AddNote(id=CommitId("n-1"), at=now(), author="operator:op", text="later")
    with pytest.raises(Conflict, match="it is history"):
        await CaseDesk(CaseLog(nc, site)).handle(past_case_id("17-1"), note)


async def test_an_import_that_was_killed_is_finished_by_the_next(
    run: Run, tmp_path: Path, nc: Client, site: Site, nats_url: str
) -> None:
    calls = 3000
    file = tmp_path / "many.csv"
    file.write_text(HEADER + "".join(f"c-{n},fire,a-1,2017-01-01T00:00:00Z,e-1,,,,,\n" for n in range(calls)))
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site}
    importing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatch", "history", "import", str(file), env=environment
    )
    await until(lambda: stored(nc, f"history.{site}.*.*"), "the import to have begun")
    importing.kill()
    await importing.wait()
    there = await count(nc, site)
    assert 0 < there < calls
    code, output, _ = await run("history", "import", file, "--json")
    report = json.loads(output)
    assert (code, report["written"] + report["unchanged"]) == (0, calls)
    assert report["unchanged"] >= there, "what was on its way to the server may have come in after that"
    assert await count(nc, site) == calls


@pytest.mark.usefixtures("run")
async def test_an_import_that_was_stopped_says_how_far_it_came_and_how_to_go_on(
    tmp_path: Path, nc: Client, site: Site, nats_url: str
) -> None:
    file = tmp_path / "many.csv"
    file.write_text(HEADER + "".join(f"s-{n},fire,a-1,2017-01-01T00:00:00Z,e-1,,,,,\n" for n in range(60_000)))
    environment = os.environ | {"DISPATCH_NATS_URL": nats_url, "DISPATCH_SITE": site}
    importing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dispatch", "history", "import", str(file)),
        env=environment,
        stderr=PIPE,
        # Of whom the tests are started by may come that it is passed over.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )

    async def acknowledged() -> bool:
        """Some are, when more are there than can be on their way."""
        return await stored(nc, f"history.{site}.*.*") > AT_ONCE

    await until(acknowledged, "the import to have begun")
    importing.send_signal(signal.SIGINT)
    _, errors = await importing.communicate()
    said = re.search(r"stopped\. .* done: at least ([\d,]+) of 60,000 calls; what is written stays\.", errors.decode())
    assert (importing.returncode, bool(said)) == (130, True), errors.decode()
    assert said is not None
    assert 0 < int(said[1].replace(",", "")) <= await count(nc, site) < 60_000
    assert "run the same command again" in errors.decode()


@pytest.mark.usefixtures("run")
async def test_that_writing_begins_is_told_before_anything_is_written(
    nc: Client, site: Site, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is stopped just then would say that nothing was."""
    told: list[tuple[str, int, int]] = []
    before: list[tuple[str, int, int]] = []

    async def keep_past(*_: object, **__: object) -> bool:
        before.append(told[-1])
        return True

    monkeypatch.setattr(CaseLog, "keep_past", keep_past)
    zone = ZoneInfo("Asia/Shanghai")
    await import_history(
        CaseLog(nc, site), Roster(nc, site), file, zone=zone, progress=lambda *stage: told.append(stage)
    )
    assert before[0] == ("writing", 0, 2)


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "is a folder, not a file; name the .csv or .xlsx file"), ("none.csv", "is not there; check")],
)
async def test_a_file_that_is_none_is_said(run: Run, tmp_path: Path, name: str, said: str) -> None:
    code, output, errors = await run("history", "import", tmp_path / name)
    assert (code, output) == (1, "")
    assert f"{tmp_path / name}: {said}" in errors
    assert "--partial" not in errors, "there is no good row to import"


async def count(nc: Client, site: Site) -> int:
    info = await nc.jetstream().stream_info(CASES, subjects_filter=f"history.{site}.*.*")
    subjects = info.state.subjects or {}
    assert set(subjects.values()) <= {1}
    return len(subjects)
