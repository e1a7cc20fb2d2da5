"""A process that died is to be back soon: what is slow to import and seldom needed is not imported at its start."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import get_args

import pytest

from dispatch import app
from dispatch.process import OBJECTS_A_COLLECTION
from dispatch.roles import Role
from dispatch.settings import Settings

SEEN = """
import sys
from dispatch import app, archive, drills, fanout, intake, projections, web
from dispatch.cli import running, serve
from dispatch.roster import demo
print(*sys.modules)
"""


def test_no_role_waits_for_what_it_seldom_needs() -> None:
    seen = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, check=True, text=True, timeout=60)
    assert {"dispatch.web", "aiohttp"} <= set(seen.stdout.split())
    assert not {"apprise", "numpy", "openpyxl", "PIL"} & set(seen.stdout.split())


@pytest.mark.parametrize("role", get_args(Role))
async def test_every_role_looks_for_unreachable_cycles_seldom(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds: list[int] = []

    async def begun(_settings: Settings) -> None:
        thresholds.append(gc.get_threshold()[0])

    monkeypatch.setattr(app, role, begun)
    before = gc.get_threshold()
    try:
        await app.play(role, Settings())
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert thresholds == [OBJECTS_A_COLLECTION]
