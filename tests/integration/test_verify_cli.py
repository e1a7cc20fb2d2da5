"""`dispatch verify`, `backup` and `restore` as processes, on a real log and a real Postgres."""

from __future__ import annotations

import asyncio
import fcntl
import json
from pathlib import Path
from typing import Any

import asyncpg

from dispatch.archive import Archivist
from dispatch.events import CaseLog
from dispatch.projections import Projector, ReadModels
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal, terminal
from tests.projection_stories import projecting
from tests.waiting import until

__all__ = ("terminal",)


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
    code, out, err = await terminal.run("verify", str(tmp_path / "kept"))
    assert (code, "only --seal proves that it is the one that was made" in out.splitlines()[-1]) == (0, True), err
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
