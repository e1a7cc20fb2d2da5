"""`dispatch up` as a person runs it: it starts everything, keeps it running, and leaves nothing half-done."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from dispatch.embedded.child import alive
from tests.commands import dispatch
from tests.waiting import until

ROOT = Path(__file__).parents[2]
READY = "Ctrl-C stops it"
ROLES = {"serve", "fanout", "project", "watch"}

pytestmark = pytest.mark.timeout(240)


class Up:
    """A running `dispatch up` and what it has printed."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.printed = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(4096):
            self.printed += chunk.decode(errors="replace")

    async def says(self, part: str, patience: float = 90) -> None:
        def said() -> bool:
            over = self._reading.done()
            assert part in self.printed or not over, f"it ended without saying {part!r}"
            return part in self.printed

        try:
            await until(said, f"it to say {part!r}", seconds=patience)
        except AssertionError as late:
            late.add_note(self.printed)
            raise

    async def ended(self) -> int:
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self._reading
        return code

    def children(self) -> dict[str, psutil.Process]:
        """Its processes by role; `nats-server` and `postgres` for the servers."""
        found = psutil.Process(self.process.pid).children()
        return {Path(c.cmdline()[0]).name if "-m" not in c.cmdline() else c.cmdline()[-1]: c for c in found if alive(c)}


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    return {**kept, "DISPATCH_DATA": str(data), "DISPATCH_PORT": "0", "COLUMNS": "200", **more}


@asynccontextmanager
async def up(data: Path, *options: str, **env: str) -> AsyncIterator[Up]:
    command = [sys.executable, "-m", "dispatch", "up", *options]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=STDOUT, cwd=ROOT, env=environment(data, **env)
    )
    running = Up(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await running.ended()


async def doctor(data: Path) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by what was looked at."""
    code, output, _ = await dispatch("doctor", "--json", env=environment(data))
    findings = {finding["what"]: finding for finding in json.loads(output)}
    assert code == any(finding["state"] == "fail" for finding in findings.values())
    return findings


async def healthy(data: Path) -> None:
    """Wait until the doctor finds nothing wrong."""
    found: dict[str, Any] = {}

    async def nothing_wrong() -> bool:
        found.update(await doctor(data))
        return all(finding["state"] == "ok" for finding in found.values())

    try:
        # A visit takes from what it waits for the time that it costs.
        await until(nothing_wrong, "the doctor to find nothing wrong", seconds=60, every=0.25)
    except AssertionError as late:
        late.add_note(f"it finds {[finding for finding in found.values() if finding['state'] != 'ok']}")
        raise


async def test_everything_starts_heals_and_stops(server_folder: Path) -> None:
    async with up(server_folder, "--demo") as running:
        await running.says(READY)
        await running.says("/in#")
        await healthy(server_folder)
        before = running.children()
        assert set(before) == ROLES | {"nats-server", "postgres"}

        for process in before.values():
            process.kill()
        for name in (*ROLES, "nats", "postgres"):
            await running.says(f"{name} was ended by signal 9")
        await healthy(server_folder)
        after = running.children()
        assert set(after) == set(before)
        assert not {process.pid for process in after.values()} & {process.pid for process in before.values()}

        running.process.send_signal(signal.SIGINT)
        assert await running.ended() == 0
        assert not any(alive(process) for process in after.values())
        assert not (server_folder / "servers.json").exists()
    assert (await doctor(server_folder))["dispatch up"]["state"] == "fail"


async def test_it_starts_over_what_a_power_cut_leaves_and_its_children_end_with_it(server_folder: Path) -> None:
    async with up(server_folder) as running:
        await running.says(READY)
        url = re.search(r"http://[\d.:]+", running.printed)
        for process in (psutil.Process(running.process.pid), *running.children().values()):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended already, for its parent is gone
                process.kill()
        assert await running.ended() == -signal.SIGKILL
    async with up(server_folder) as running:
        await running.says(READY)
        assert url is not None
        assert url[0] in running.printed
        await healthy(server_folder)

        children = running.children()
        assert set(children) == ROLES | {"nats-server", "postgres"}
        running.process.kill()
        await until(lambda: not any(alive(process) for process in children.values()), "its children to end")


async def test_servers_that_are_named_are_used_and_postgres_may_be_down(tmp_path: Path, nats_url: str) -> None:
    nowhere = "postgresql://dispatch:x@127.0.0.1:1/dispatch?sslmode=disable"
    async with up(
        tmp_path, DISPATCH_NATS_URL=nats_url, DISPATCH_POSTGRES_DSN=nowhere, DISPATCH_SITE="external"
    ) as running:
        await running.says("going on without Postgres")
        await running.says(READY)
        assert set(running.children()) == ROLES
        await running.says(f"DISPATCH_DATA={tmp_path} dispatch token new operator NAME")


async def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with up(tmp_path) as running:
            assert await running.ended() == 1
            assert f"another `dispatch up` is running on {tmp_path}" in running.printed
            assert "Traceback" not in running.printed


async def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with up(tmp_path / "new" / "data", "--port", str(port)) as running:
            assert await running.ended() == 1
            assert f"port {port} is taken by another program" in running.printed
        assert not (tmp_path / "new").exists()
        async with up(tmp_path, "--port", str(port)) as running:
            assert await running.ended() == 1
            assert f"port {port} is taken by another program" in running.printed
            assert f"`dispatch up --port {port + 1}` or `DISPATCH_PORT={port + 1} make up`" in running.printed
            assert not list(tmp_path.glob("nats*")), "no server was started"
            assert "stopping" not in running.printed


async def test_a_host_that_is_not_of_this_machine_is_named_before_anything_starts(tmp_path: Path) -> None:
    async with up(tmp_path, DISPATCH_PORT="8080", DISPATCH_HOST="192.0.2.1") as running:
        assert await running.ended() == 1
        assert "cannot be opened on 192.0.2.1" in running.printed
        assert "DISPATCH_HOST" in running.printed
        assert "stopping" not in running.printed
