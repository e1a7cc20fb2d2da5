"""EXPLAIN guards: the board's list must not read the whole table when it has grown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import asyncpg
import pytest

from dispatch.projections.queries import queries
from dispatch.projections.reader import SETTINGS
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

COMMON = {
    "board_newest_by_state": (queries.newest_by_state, ("true", "null", "'village'", "null", "'h-30000'", "51")),
    "board_newest": (queries.newest, ("null", "'village'", "null", "null", "51")),
}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("index", COMMON)
async def test_a_page_of_the_board_is_read_from_its_index(settings: Settings, index: str, mode: str) -> None:
    query, arguments = COMMON[index]
    plan = await explained(settings, {"plan_cache_mode": mode}, query, arguments)
    assert re.search(rf"Index Scan using {index}\b", plan), plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan


RARE = {
    "an area without cases": (
        "board_of_area",
        queries.newest_by_state,
        ("false", "null", "'none'", "null", "null", "51"),
    ),
    "all of such an area": ("board_of_area", queries.newest, ("null", "'none'", "null", "null", "51")),
    "those cancelled": (
        "board_newest_by_status",
        queries.newest_by_state,
        ("false", "'cancelled'", "null", "null", "null", "51"),
    ),
    "fires": ("board_newest_by_kind", queries.newest_by_state, ("false", "null", "null", "'fire'", "null", "51")),
}


@pytest.mark.parametrize("what", RARE)
async def test_a_page_of_what_is_rare_is_not_looked_for_among_all_cases(settings: Settings, what: str) -> None:
    index, query, arguments = RARE[what]
    plan = await explained(settings, SETTINGS, query, arguments)
    assert re.search(rf"(Index Scan using|Bitmap Index Scan on) {index}\b", plan), plan
    assert "Seq Scan" not in plan, plan


async def explained(settings: Settings, server: Mapping[str, str], query: str, arguments: Sequence[str]) -> str:
    """The plan of `query` on a board of fifty thousand cases."""
    connection = await asyncpg.connect(settings.require_postgres(), server_settings=dict(server))
    try:
        await connection.execute(FILLED)
        await connection.execute("analyze board")
        await connection.execute(f"prepare listing as {query}")
        found = await connection.fetch(f"explain execute listing('s', {', '.join(arguments)})")
        return "\n".join(row[0] for row in found)
    finally:
        await connection.close()
