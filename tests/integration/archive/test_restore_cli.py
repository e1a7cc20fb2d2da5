"""`dispatch backup` and `dispatch restore` as an operator types them: what was open is held when it comes back."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from dispatch.cases import CaseDesk, waits_for
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.events import CaseLog, connect, ensure_streams
from tests.commands import dispatch
from tests.servers import open_folder
from tests.village import opened, village_of

SITE = "s1"


@pytest.fixture
async def elsewhere() -> AsyncIterator[EmbeddedNats]:
    """Another nats-server, with nothing on it."""
    with open_folder() as folder:
        async with EmbeddedNats(folder) as server:
            yield server


async def typed(server: EmbeddedNats, folder: Path, *arguments: str) -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    environment |= {"DISPATCH_NATS_URL": server.url, "DISPATCH_SITE": SITE, "DISPATCH_DATA": str(folder / "data")}
    code, out, err = await dispatch(*arguments, "--json", env=environment)
    assert code == 0, err
    said: dict[str, object] = json.loads(out)
    return said


async def test_an_open_case_comes_back_held_for_half_an_hour(
    fresh_nats: EmbeddedNats, elsewhere: EmbeddedNats, tmp_path: Path
) -> None:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    async with village_of(nc, SITE, 1) as village:
        case = await opened(village)
    await nc.close()
    made = await typed(fresh_nats, tmp_path, "backup", str(tmp_path / "copy"))

    before = now()
    restored = await typed(elsewhere, tmp_path, "restore", str(tmp_path / "copy"), "--seal", str(made["seal"]))
    assert restored["held"] == [case]

    there = await connect(elsewhere.url, "test")
    wait = waits_for(await CaseDesk(CaseLog(there, SITE)).load(case))
    await there.close()
    assert wait is not None
    assert wait.what == "operator"
    assert wait.until is not None
    assert before + timedelta(minutes=30) <= wait.until <= now() + timedelta(minutes=30)
