"""A million cases in the tables of the read models, written by Postgres itself: for plans and for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg

BEGAN = datetime(2021, 11, 1, tzinfo=UTC)
MILLION = 1_000_000
SECONDS_BETWEEN = 157
"""A million cases in five years: about 16,700 in a month."""
VILLAGES, GROUPS = 300, 10_000
ENDED = BEGAN + timedelta(seconds=MILLION * SECONDS_BETWEEN)

LATENCY = """
insert into latency (
    site, case_id, household, group_id, areas, target_seconds, kind, silent, drill, pressed_at, accepted_at, called_at,
    delivered_at, answered_at, going_at, on_scene_at, resolved_at, cancelled_at, resolution
)
select
    's', 'h-' || n, 'h-' || (n % 100000), 'g-' || (n % 10000),
    array['v-' || (n % 300), 't-' || (n % 300 / 30), 'c'], (array[60, 180, 300])[1 + n % 3],
    (array['help', 'fire', 'medical', 'intrusion'])[1 + n % 4], false, n % 50 = 0,
    at - interval '0.3 s', at, told + interval '0.5 s', told + interval '1 s',
    told + (5 + random() * 40) * interval '1 s', told + (20 + random() * 400) * interval '1 s',
    told + (60 + random() * 600) * interval '1 s',
    case when n % 20 <> 0 then told + (600 + random() * 2000) * interval '1 s' end,
    case when n % 20 = 0 then told + interval '200 s' end,
    case when n % 20 <> 0 then 'helped' end
from (
    select n, at, case when n % $4::int = 0 then at end as told from (
        select n, $1::timestamptz + n * make_interval(secs => $2) as at from generate_series($5::int, $3::int) as n
    ) as numbers
) as cases
"""
RESPONSES = """
insert into responses (
    site, case_id, responder, step, role, group_id, areas, kind, drill, left_out, accepted_at, called_at, delivered_at,
    answered_at, going_at, on_scene_at, answer
)
select
    's', 'h-' || n, case when k < 10 then 'p-' || (n % 10000) || '-' || k else 'o-' || (n % 300) || '-' || k end, 0,
    case when k < 10 then 'member' else 'auxiliary_officer' end, case when k < 10 then 'g-' || (n % 10000) end,
    array['v-' || (n % 300), 't-' || (n % 300 / 30), 'c'], (array['help', 'fire', 'medical', 'intrusion'])[1 + n % 4],
    n % 50 = 0, false, at, told + interval '0.5 s', told + interval '1 s',
    case when k % 3 = 0 then told + (5 + random() * 40) * interval '1 s' end,
    case when k % 3 = 0 then told + (20 + random() * 400) * interval '1 s' end,
    case when k % 6 = 0 then told + (60 + random() * 600) * interval '1 s' end,
    case when k % 3 = 0 then 'going' end
from (
    select n, k, at, case when n % $6::int = 0 then at end as told
    from (
        select n, k, $1::timestamptz + n * make_interval(secs => $2) as at
        from generate_series($3::int, $4::int) as n, generate_series(12 - $5::int + 1, 12) as k
        order by n, k
    ) as numbers
) as calls
"""
BOARD = """
insert into board (
    site, case_id, seq, household, areas, kind, status, is_open, silent, drill, source, device, pressed_at, accepted_at,
    raised_at, last_pressed_at, presses, called, reached, coming, on_scene, cannot, gaps, notes
)
select
    's', 'h-' || n, n, 'h', array['v-' || (n % 300), 't-' || (n % 300 / 30), 'c'], 'help',
    case when n % 500 = 0 then 'raised' else 'resolved' end, n % 500 = 0, false, false, 'http', 'd',
    at, at, at, at, 1, 1, 0, 0, 0, 0, 0, 0
from (select n, $1::timestamptz + n * make_interval(secs => $2) as at from generate_series(1, $3::int) as n) as numbers
"""
WORK_COLUMNS = """
    site, case_id, group_id, officers, areas, kind, drill, accepted_at, called, rung, delivered, answered, going,
    on_scene, cannot, called_to_answered, called_to_on_scene, called_to_delivered, delivered_to_answered,
    going_to_on_scene, responders
"""
WORK = """
select
    site, case_id, coalesce(group_id, '') as group_id,
    coalesce(role not in ('group_leader', 'member'), false) as officers, areas, kind, drill, accepted_at,
    count(*), count(called_at), count(delivered_at), count(answered_at), count(going_at), count(on_scene_at),
    count(*) filter (where answer = 'cannot'),
    array_remove(array_agg(called_to_answered order by called_to_answered), null),
    array_remove(array_agg(called_to_on_scene order by called_to_on_scene), null),
    array_remove(array_agg(called_to_delivered order by called_to_delivered), null),
    array_remove(array_agg(delivered_to_answered order by delivered_to_answered), null),
    array_remove(array_agg(going_to_on_scene order by going_to_on_scene), null),
    array_agg(responder order by responder)
from responses
where not left_out and accepted_at > $1 and accepted_at <= $2
group by site, case_id, responses.group_id, officers, areas, kind, drill, accepted_at
order by accepted_at
"""
"""What the responses to cases accepted in ($1, $2] say of each group and of the officers: as the read model has it."""
MONTHS = """
select ensure_month($1::text::regclass, month)
from generate_series($2::timestamptz, $3::timestamptz + interval '1 month', interval '1 month') as month
where exists (select from pg_partitioned_table where partrelid = $1::text::regclass)
"""
"""Those of a table that is kept by month."""
LEAVES = "select relid::regclass::text as name from pg_partition_tree($1::text::regclass) where isleaf"
PART = 100_000


async def fill_latency(connection: asyncpg.Connection, cases: int = MILLION, *, told: int = 1, first: int = 1) -> None:
    """`cases` cases of the site `s`, or those from the `first` on; of each `told`th it is told what happened, which
    takes its time.
    """
    await _without_indexes(connection, "latency", [(LATENCY, (BEGAN, SECONDS_BETWEEN, cases, told, first))])


async def fill_responses(
    connection: asyncpg.Connection, each: int, cases: int = MILLION, *, told: int = 1, first: int = 1
) -> None:
    """`each` responders (at most 13, the officers among them) on each of `cases` cases; `told` and `first` as above."""
    parts = [
        (RESPONSES, (BEGAN, SECONDS_BETWEEN, start, min(start + PART - 1, cases), each, told))
        for start in range(first, cases + 1, PART)
    ]
    await _without_indexes(connection, "responses", parts)


async def fill_work(connection: asyncpg.Connection, cases: int = MILLION, *, first: int = 1) -> None:
    """What the responses that are there already say of groups and officers; `first` as above."""
    ends = [*range(first - 1, cases, PART), cases]
    parts = [
        tuple(BEGAN + timedelta(seconds=SECONDS_BETWEEN * number) for number in ends_of) for ends_of in pairwise(ends)
    ]
    await _without_indexes(connection, "work", [(f"insert into work ({WORK_COLUMNS}) {WORK}", part) for part in parts])


async def fill_board(connection: asyncpg.Connection, cases: int = MILLION) -> None:
    """`cases` cases of the site `s`, of which one in 500 is open."""
    await _without_indexes(connection, "board", [(BOARD, (BEGAN, SECONDS_BETWEEN, cases))])


async def _without_indexes(
    connection: asyncpg.Connection, table: str, statements: Sequence[tuple[str, tuple[object, ...]]]
) -> None:
    """Run `statements`; without a log and with indexes made afterwards, just as they were, they cost a fraction."""
    await connection.execute(MONTHS, table, BEGAN, ENDED)
    for leaf in await connection.fetch(LEAVES, table):
        await connection.execute(f"alter table {leaf['name']} set unlogged")
    indexes = await connection.fetch(
        "select indexname, indexdef from pg_indexes where tablename = $1 and indexname not like '%_pkey'", table
    )
    for index in indexes:
        await connection.execute(f"drop index {index['indexname']}")
    for statement, arguments in statements:
        await connection.execute(statement, *arguments)
    for index in indexes:
        await connection.execute(index["indexdef"].replace(" ON ONLY ", " ON "))  # with its partitions
    await connection.execute(f"vacuum analyze {table}")
