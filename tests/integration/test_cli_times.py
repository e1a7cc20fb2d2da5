"""Times on the command line: by the clocks of the site with their offset for people, UTC for machines."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatch.access import Tokens
from dispatch.cli.following import line
from dispatch.events import CaseLog, bury, follow
from dispatch.projections import Projector, ReadModels
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, terminal
from tests.commands import dispatch, environment_of
from tests.integration.test_drill_cli import terminal as drilling
from tests.integration.test_what_if_cli import policies
from tests.projection_stories import NOON, projecting

__all__ = ("drilling", "terminal")

Run = Callable[..., Awaitable[tuple[int, str, str]]]
assert NOON.isoformat() == "2026-11-21T12:00:00+00:00"


@pytest.fixture
def run(settings: Settings) -> Run:
    """Gives commands where it is tomorrow already: nobody's machine and no other test has that zone."""
    environment = environment_of(settings) | {"DISPATCH_TIMEZONE": "Pacific/Kiritimati"}

    async def dispatch_there(*arguments: object) -> tuple[int, str, str]:
        code, out, err = await dispatch(*arguments, env=environment)
        assert code == 0, err
        return code, out, err

    return dispatch_there


async def test_cases_and_letters_have_the_times_of_the_site(terminal: Terminal, settings: Settings, run: Run) -> None:
    log, models = CaseLog(terminal.nc, settings.site), ReadModels(settings.require_postgres(), settings.site)
    async with projecting(Projector(terminal.nc, log, settings.require_postgres())):
        assert await models.wait_for(await log.last_sequence(), 10)
    await models.close()
    for command in (("list",), ("show", terminal.case), ("timeline", terminal.case)):
        _, screen, _ = await run("case", *command)
        assert "2026-11-22 0" in screen
        assert "+14:00" in screen
    (row,) = json.loads((await run("case", "list", "--json"))[1])["cases"]
    assert (row["raised_at"][:17], row["raised_at"][-1]) == ("2026-11-21T12:00:", "Z")
    async for message in follow(terminal.nc, "CASES", f"cases.{settings.site}.*.*"):
        await bury(terminal.nc.jetstream(), settings.site, "project", message, "nobody could read it")
        break
    assert "+14:00" in (await run("dlq", "list"))[1]


def test_who_waits_for_an_answer_is_told_the_time_of_the_site() -> None:
    assert line({"event": "going", "at": NOON, "responder": "p-1"}, {}).startswith("20:00:00+08:00  p-1")


async def test_tokens_and_drills_have_the_times_of_the_site(drilling: Terminal, settings: Settings, run: Run) -> None:
    await Tokens(drilling.nc, settings.site).issue("operator", "desk-1")
    assert "+14:00" in (await run("token", "list"))[1]
    _, begun, _ = await run("drill", "--group", "g-1", "--yes")
    assert "+14:00 结束 ends by itself" in begun
    assert "+14:00" in (await run("drill", "list"))[1]
    assert "+14:00" not in (await run("drill", "list", "--json"))[1]
    await run("roster", "leave-out", "h-1", "p-1", "--reason", "试验")
    assert "+14:00" in (await run("roster", "left-out"))[1]


@pytest.mark.usefixtures("terminal")
async def test_a_backup_and_its_restore_have_the_times_of_the_site(run: Run, tmp_path: Path) -> None:
    await run("backup", tmp_path / "kept")
    _, out, _ = await run("restore", tmp_path / "kept", "--data", tmp_path / "new")
    assert "+14:00" in next(line for line in out.splitlines() if "已恢复 restored" in line)


async def test_what_if_cuts_at_the_midnights_of_the_site(terminal: Terminal, run: Run, tmp_path: Path) -> None:
    trying = ("what-if", "--policy", policies(tmp_path, 20), "--csv")
    _, there, _ = await run(*trying, "--since", "2026-11-22", "--until", "2026-11-23")
    assert terminal.case in there
    _, before, _ = await run(*trying, "--until", "2026-11-22")
    assert terminal.case not in before
    _, in_utc, _ = await run(*trying, "--since", "2026-11-22T00:00:00Z")
    assert terminal.case not in in_utc
