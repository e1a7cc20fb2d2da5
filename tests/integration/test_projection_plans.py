"""EXPLAIN guards: the board's list must not read the whole table when it has grown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules

import asyncpg
import msgspec
import pytest

from dispatch import projections
from dispatch.projections.queries import queries
from dispatch.projections.reader import SETTINGS
from dispatch.settings import Settings
from tests import plans
from tests.million import MILLION, fill_responses

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

SITE = "'s'"
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
    "those open, to begin with": ("board_newest_by_state", queries.open_cases, ()),
    "fires": ("board_newest_by_kind", queries.newest_by_state, ("false", "null", "null", "'fire'", "null", "51")),
}


@pytest.mark.parametrize("what", RARE)
async def test_a_page_of_what_is_rare_is_not_looked_for_among_all_cases(settings: Settings, what: str) -> None:
    index, query, arguments = RARE[what]
    plan = await explained(settings, SETTINGS, query, arguments)
    assert re.search(rf"(Index (Only )?Scan (Backward )?using|Bitmap Index Scan on) {index}\b", plan), plan
    assert "Seq Scan" not in plan, plan


BY_KEY = {
    "timeline": (queries.timeline, "'s', 'h-1'"),
    "calls": (queries.calls, "'s', 'h-1'"),
    "responses": (queries.responses, "'s', 'h-999999'"),
    "proofs": (queries.proofs, "'s', array['p-1', 'p-2']"),
}
"""What is asked of one case, or of some people: each has an index, however few rows there are today."""


@pytest.mark.parametrize("what", BY_KEY)
async def test_one_case_is_not_looked_for_among_all(settings: Settings, what: str) -> None:
    query, arguments = BY_KEY[what]
    connection = await asyncpg.connect(settings.require_postgres(), server_settings={"enable_seqscan": "off"})
    try:
        for table in ("timeline", "calls"):
            await connection.execute("select ensure_month($1::text::regclass, '2026-11-01Z')", table)
        await fill_responses(connection, 1, first=MILLION - 20_000)
        plan = await plans.explained(connection, query, arguments)
    finally:
        await connection.close()
    assert re.search(r"Index (Only )?Scan using \w+_pkey on|Bitmap Index Scan on \w+_pkey", plan), plan
    assert "Seq Scan" not in plan, plan


SMALL = {"queries.positions", "remembered.state"}
"""What is asked of tables that do not grow."""
FILLING = {"checkpoints", "months", "shadow", "storing"}
"""Modules whose queries fill the tables, and answer nobody."""


def test_whatever_the_desk_and_the_reports_ask_is_guarded() -> None:
    modules = {
        one.name: import_module(f"{projections.__name__}.{one.name}") for one in iter_modules(projections.__path__)
    }
    named = {name: module.queries for name, module in modules.items() if hasattr(module, "queries")}
    own = {name: of for name, of in named.items() if type(of).__module__ == modules[name].__name__}
    assert own.keys() == {"queries", "reports", "remembered", "few"} | FILLING
    asked = {
        f"{module}.{name}": query
        for module in own.keys() - FILLING
        for name, query in msgspec.structs.asdict(own[module]).items()
    }
    asked |= {
        f"{module}.{name}, of few": query
        for module in ("queries", "reports")
        for name, query in msgspec.structs.asdict(modules[module].queries_of_few).items()
        if query != asked[f"{module}.{name}"]
    }
    guarded = {case[0] for case in (*BY_KEY.values(), *plans.READS.values())}
    guarded |= {query for _, query, _ in RARE.values()} | {query for query, _ in COMMON.values()}
    assert {name for name, query in asked.items() if query not in guarded} == SMALL


async def explained(settings: Settings, server: Mapping[str, str], query: str, arguments: Sequence[str]) -> str:
    """The plan of `query` on a board of fifty thousand cases."""
    connection = await asyncpg.connect(settings.require_postgres(), server_settings=dict(server))
    try:
        await connection.execute(FILLED)
        await connection.execute("analyze board")
        await connection.execute(f"prepare listing as {query}")
        found = await connection.fetch(f"explain execute listing({', '.join([SITE, *arguments])})")
        return "\n".join(row[0] for row in found)
    finally:
        await connection.close()
