"""Timers outlive a kill of everything; how late they are is printed by `pending_timers`, and measured there."""

from __future__ import annotations

import pytest

from tests.faults.pending_timers import pending_timers

CASES = 40


@pytest.mark.embedded
async def test_every_step_that_was_pending_is_taken_once() -> None:
    result = await pending_timers(CASES)
    assert (result.once, result.never, result.twice) == (CASES, 0, 0)
