"""A short run of `make faults`."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.faults.rampage.__main__ import rampage

KILLS = 4


@pytest.mark.embedded
async def test_killed_under_load_and_nobody_is_forgotten() -> None:
    result = await rampage(KILLS, seed=3, console=Console(quiet=True))
    assert not result.faults
    assert result.kills == KILLS
    assert result.presses_accepted > 0
    assert result.calls_owed > 0
