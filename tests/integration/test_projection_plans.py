"""EXPLAIN guards: the board's list must not read the whole table when it has grown."""

from __future__ import annotations

import re

import asyncpg
import pytest

from dispatch.projections.queries import queries
from dispatch.settings import Settings

FILLED = """
insert into board (
    site, case_id, seq, household, areas, kind, status, is_open, silent, drill, source, device,
    pressed_at, accepted_at, raised_at, last_pressed_at,
    presses, called, reached, coming, on_scene, cannot, gaps, notes
)
select
    's', 'h-' || n, n, 'h', array['village'], 'help', case when n % 500 = 0 then 'raised' else 'resolved' end,
    n % 500 = 0, false, false, 'http', 'd', at, at, at, at, 1, 1, 0, 0, 0, 0, 0, 0
from (select n, timestamptz '2026-11-21' + n * interval '1 second' as at from generate_series(1, 50000) as n) as numbers
"""

LISTS = {
    "board_newest_by_state": (queries.newest_by_state, ("true", "null", "'village'", "null", "'h-30000'", "51")),
    "board_newest": (queries.newest, ("null", "'village'", "null", "null", "51")),
}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("index", LISTS)
async def test_a_page_of_the_board_is_read_from_its_index(settings: Settings, index: str, mode: str) -> None:
    query, arguments = LISTS[index]
    connection = await asyncpg.connect(settings.require_postgres())
    try:
        await connection.execute(FILLED)
        await connection.execute("analyze board")
        await connection.execute(f"set plan_cache_mode = {mode}")
        await connection.execute(f"prepare listing as {query}")
        plan = "\n".join(
            row[0] for row in await connection.fetch(f"explain execute listing('s', {', '.join(arguments)})")
        )
    finally:
        await connection.close()
    assert re.search(rf"Index Scan using {index}\b", plan), plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan
