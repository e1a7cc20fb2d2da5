"""Read models on a real log and a real Postgres: what they say, and that they say it again after any trouble."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from dispatch.cases import CaseDesk, SignalDuress
from dispatch.errors import Malformed
from dispatch.identifiers import CaseId, CommitId, case_id_for
from dispatch.migrate import migrations_folder
from tests.projection_desk import STORY, Desk
from tests.projection_stories import (
    TABLES,
    after,
    answered,
    cancelled,
    fill,
    forget,
    press_on,
    projecting,
    recorded,
    sums,
    tell,
)


async def test_the_migration_of_the_board_s_duress_fills_in_what_the_projection_would_write(desk: Desk) -> None:
    signal = SignalDuress(id=CommitId("duress"), at=after(9), by="device:h-2")
    quiet, first = await tell(desk.log, "h-1"), await tell(desk.log, "h-2", signal)
    again = replace(press_on("h-2", "b2"), beside=first)
    beside = (await CaseDesk(desk.log).handle(case_id_for(again.press.household, again.press.press), again)).case.id
    async with projecting(desk.projector()):
        await desk.caught_up()
    connection = await asyncpg.connect(desk.dsn)
    under_duress = "select array_agg(case_id order by case_id) from board where duress"
    assert await connection.fetchval(under_duress) == sorted([first, beside])
    up, down = (migrations_folder() / "20261123000001_board_duress.sql").read_text().split("-- migrate:down")
    await connection.execute(down)
    await connection.execute(up)
    assert await connection.fetchval(under_duress) == sorted([first, beside])
    assert await connection.fetchval("select not duress from board where case_id = $1", quiet)
    await connection.close()


async def test_a_story_makes_these_rows(desk: Desk) -> None:
    case = await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
    [board], more = await desk.models.list_cases(status="closed")
    assert more is None
    expected = {
        "case_id": case,
        "household": "h-1",
        "areas": ["village", "county"],
        "group_id": "g-1",
        "kind": "fire",
        "status": "resolved",
        "is_open": False,
        "drill": False,
        "presses": 1,
        "called": 3,
        "reached": 2,
        "coming": 0,
        "on_scene": 1,
        "cannot": 1,
        "nearest_eta_at": None,
        "pressed_at": after(-0.5),
        "accepted_at": after(0),
        "raised_at": after(0.1),
        "first_called_at": after(1),
        "first_delivered_at": after(2),
        "first_going_at": after(10),
        "first_on_scene_at": after(130),
        "notes": 1,
        "closed_at": after(400),
        "closed_by": "operator:li",
        "resolution": "helped",
        "closing_text": "好了",
    }
    assert {name: board[name] for name in expected} == expected
    assert [(entry["at"], entry["type"]) for entry in await desk.models.timeline(case)] == [
        (after(0.1), "alarm_raised"),
        (after(0.1), "responders_called"),
        (after(1), "calls_recorded"),
        (after(2), "calls_recorded"),
        (after(10), "responder_replied"),
        (after(12), "responder_replied"),
        (after(20), "case_noted"),
        (after(130), "responder_replied"),
        (after(400), "case_resolved"),
    ]
    assert (await desk.models.timeline(case))[6]["data"] == {"note": "n1", "author": "operator:li", "text": "门锁着"}


async def test_a_story_makes_these_calls(desk: Desk) -> None:
    case = await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector(batch=1)):
        await desk.caught_up()
    columns = ("responder", "channel", "outcome", "unknown_at", "failed_at", "sent_at", "delivered_at", "answer")
    assert [tuple(call[column] for column in columns) for call in await desk.models.calls(case)] == [
        ("p-1", "live", "delivered", None, None, after(1), after(2), "on_scene"),
        ("p-1", "webhook", None, None, None, None, None, "on_scene"),
        ("p-2", "live", "failed", None, after(1), None, None, "cannot"),
        ("p-2", "webhook", None, None, None, None, None, "cannot"),
        ("p-3", "live", None, None, None, None, None, None),
        ("p-3", "webhook", "sent", after(1), None, after(2), None, None),
    ]
    seconds = ("responder", "called_to_delivered", "delivered_to_answered", "going_to_on_scene", "called_to_on_scene")
    assert [tuple(row[column] for column in seconds) for row in await desk.models.responses(case)] == [
        ("p-1", 1.0, 8.0, 120.0, 129.0),
        ("p-2", None, None, None, None),
        ("p-3", None, None, None, None),
    ]


async def test_latency_leaves_drills_out_and_counts_what_ran_backwards(desk: Desk) -> None:
    await tell(desk.log, "h-1", *STORY)
    await tell(desk.log, "h-2", recorded("r1", 3, ("p-1", "live", "delivered")), answered("p-1", "on_scene", -7))
    await tell(desk.log, "h-3", recorded("r1", 100, ("p-1", "live", "delivered")), drill=True)
    async with projecting(desk.projector()):
        await desk.caught_up()
    report = await desk.models.latency()
    assert (report["summary"]["cases"], report["summary"]["drills"]) == (2, 1)
    intervals = report["summary"]["case"]
    assert intervals["accepted_to_called"]["p50"] == pytest.approx(2.0)
    assert intervals["accepted_to_called"]["count"] == 2
    assert intervals["accepted_to_on_scene"] == {"count": 1, "backwards": 1, **dict.fromkeys(PERCENTILES, 130.0)}
    assert intervals["going_to_on_scene"]["count"] == 1
    by_case = {row["household"]: row for row in report["cases"]}
    assert by_case["h-2"]["accepted_to_on_scene"] == -7.0
    assert [by_case[household]["backwards"] for household in ("h-1", "h-2", "h-3")] == [False, True, False]
    assert by_case["h-3"]["drill"]
    assert (await desk.models.latency(area="elsewhere"))["summary"]["cases"] == 0  # type: ignore[arg-type]
    assert (await desk.models.latency(since=after(1)))["cases"] == []


PERCENTILES = ("p50", "p90", "p95", "p99")


async def test_rows_do_not_depend_on_batches_and_a_rebuild_makes_them_again(desk: Desk) -> None:
    cases = await fill(desk.log, 60)
    async with projecting(desk.projector(batch=1)):
        await desk.caught_up()
        one_by_one = await sums(desk.dsn)
        assert one_by_one["board"][0] == len(cases)
        assert set(await desk.rebuild()) == set(TABLES)
        assert await sums(desk.dsn) == one_by_one
    await forget(desk.dsn, desk.log.site)
    assert (await sums(desk.dsn))["board"][0] == 0
    async with projecting(desk.projector(batch=1000)):
        await desk.caught_up()
    assert await sums(desk.dsn) == one_by_one


async def test_a_message_that_comes_again_changes_nothing(desk: Desk) -> None:
    """The checkpoint is taken back behind the rows, as after a crash that kept one and lost the other."""
    await fill(desk.log, 20)
    async with projecting(desk.projector()):
        await desk.caught_up()
    before = await sums(desk.dsn)
    connection = await asyncpg.connect(desk.dsn)
    await connection.execute("update checkpoints set seq = 0, commit_id = ''")
    await connection.close()
    async with projecting(desk.projector(batch=7)):
        await desk.caught_up()
    assert await sums(desk.dsn) == before


async def test_the_board_in_pages(desk: Desk) -> None:
    told = []
    for number in range(5):
        press = press_on(f"h-{number}", at=number)
        told.append(await _open(desk, press))
    await tell(desk.log, "h-9", cancelled(5))
    async with projecting(desk.projector()):
        await desk.caught_up()
    newest_first = told[::-1]
    first, before = await desk.models.list_cases(limit=2)
    second, again = await desk.models.list_cases(limit=2, before=before)
    third, end = await desk.models.list_cases(limit=2, before=again)
    assert [row["case_id"] for row in (*first, *second, *third)] == newest_first
    assert end is None
    assert len((await desk.models.list_cases(status="all"))[0]) == 6
    assert [row["status"] for row in (await desk.models.list_cases(status="cancelled"))[0]] == ["cancelled"]
    assert (await desk.models.list_cases(area="elsewhere"))[0] == []  # type: ignore[arg-type]
    assert (await desk.models.list_cases(kind="medical"))[0] == []
    with pytest.raises(Malformed, match="status"):
        await desk.models.list_cases(status="lost")
    with pytest.raises(Malformed, match="limit"):
        await desk.models.list_cases(limit=0)
    with pytest.raises(Malformed):
        await desk.models.list_cases(kind="\x00")


async def _open(desk: Desk, press: Any) -> CaseId:
    from dispatch.cases import CaseDesk

    handled = await CaseDesk(desk.log).press(press, lambda _: asyncio.sleep(0, press.plan))
    return handled.case.id
