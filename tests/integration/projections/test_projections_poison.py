"""What a read model cannot take in: it is buried or stops that read model alone, and the others go on."""

from __future__ import annotations

import asyncpg
import msgspec
import pytest

from dispatch.cases import CaseDesk
from dispatch.clock import now
from dispatch.errors import Refused
from dispatch.events import (
    CASES,
    AlarmRaised,
    DeadLetter,
    Letters,
    Mark,
)
from dispatch.projections import Change, ProjectAgain, Projection, all_projections, checkpoints, lane
from dispatch.projections.models import latency, timeline
from tests.projection_desk import STORY, Desk, incident, no_incident, reached
from tests.projection_stories import (
    TABLES,
    forget,
    noted,
    projecting,
    sums,
    tell,
)
from tests.waiting import until


async def test_poison_goes_to_the_dlq_once_and_the_others_go_on(desk: Desk) -> None:
    good = await tell(desk.log, "h-1")
    ack = await desk.nc.jetstream().publish(f"cases.{desk.log.site}.h-9.h-9-AAAAAAAA", b"{}", headers={"ce-id": "x"})
    orphan = await desk.nc.jetstream().publish(
        f"cases.{desk.log.site}.h-8.h-8-AAAAAAAA",
        b'{"events":[{"type":"case_noted.v1","at":"2026-11-21T12:00:00Z","note":"n","author":"a","text":"t"}]}',
        headers={"ce-id": "y"},
    )
    later = await tell(desk.log, "h-2", noted("nul", 5, "before\x00after"))
    await _bury(desk, "project", ack.seq, "s")
    async with projecting(desk.projector()):
        await desk.caught_up()
        assert set((await desk.models.open_cases())[0]) == {good, later}
        assert (await desk.models.timeline(later))[-1]["data"]["text"] == "before\ufffdafter"
        before = await sums(desk.dsn)
    await desk.rebuild()
    assert await sums(desk.dsn) == before
    assert await desk.letters("project") == [ack.seq, orphan.seq]


async def _bury(desk: Desk, by: str, seq: int, subject: str) -> None:
    """As an earlier reading did, whose message id the server has forgotten."""
    letter = DeadLetter(by=by, reason="r", stream=CASES, subject=subject, seq=seq, at=now(), headers={}, body=b"")
    await desk.nc.jetstream().publish(f"dlq.{desk.log.site}.{by}", msgspec.json.encode(letter))


def _picky(change: Change) -> list[timeline.TimelineRow]:
    rows = timeline.rows(change)
    if any(row.data.get("text") == "poison" for row in rows):
        raise ValueError("cannot digest this")
    if any(row.data.get("text") == "huge" for row in rows):
        return [msgspec.structs.replace(row, index=2**40) for row in rows]
    return rows


async def test_a_commit_that_makes_no_rows_is_skipped_by_that_read_model_alone(desk: Desk) -> None:
    board, *_ = all_projections()
    picky = Projection(name="timeline", rows=_picky, queries=timeline.PROJECTION.queries)
    case = await tell(
        desk.log, "h-1", noted("n1", 1, "fine"), noted("n2", 2, "poison"), noted("n3", 3, "huge"), noted("n4", 4, "end")
    )
    end = await desk.log.last_sequence()
    for _ in range(2):
        async with projecting(desk.projector(projections=[board, picky])):
            await until(lambda: reached(desk, ("board", "timeline"), end), "both to get to the end")
        await desk.rebuild("board", "timeline", projections=[board, picky])
    async with projecting(desk.projector(projections=[board, picky])):
        await until(lambda: reached(desk, ("board", "timeline"), end), "both to get to the end")
    assert [row["data"].get("text") for row in await desk.models.timeline(case)][2:] == ["fine", "end"]
    assert (await desk.models.list_cases())[0][0]["notes"] == 4
    assert await desk.letters("project-timeline") == [end - 2, end - 1]


def _choosy(change: Change) -> list[latency.LatencyRow]:
    if any(isinstance(event, AlarmRaised) for commit in change.commits for event in commit.events):
        raise ValueError("cannot digest this")
    return latency.rows(change)


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
async def test_a_case_whose_commit_was_skipped_has_its_row_with_the_next_one(desk: Desk, restarted: bool) -> None:
    """Nothing is stored of it as it was before, however little the next commit changes."""
    choosy = [Projection(name="latency", rows=_choosy, queries=latency.PROJECTION.queries)]
    case = await tell(desk.log, "h-1")
    if restarted:
        async with projecting(desk.projector(projections=choosy)):
            skipped = await desk.log.last_sequence()
            await until(lambda: reached(desk, ("latency",), skipped), "the commit to be skipped")
    await CaseDesk(desk.log).handle(case, noted("n1", 1, "one"))
    async with projecting(desk.projector(projections=choosy)):
        end = await desk.log.last_sequence()
        await until(lambda: reached(desk, ("latency",), end), "the read model to get to the end")
    rows = (await sums(desk.dsn))["latency"]
    assert rows[0] == 1
    await desk.rebuild("latency", projections=choosy)
    assert (await sums(desk.dsn))["latency"] == rows


async def test_what_was_buried_is_applied_after_its_cause_was_mended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = Projection(name="timeline", rows=_picky, queries=timeline.PROJECTION.queries)
    case = await tell(desk.log, "h-1", noted("n1", 1, "fine"), noted("n2", 2, "poison"), noted("n3", 3, "end"))
    end = await desk.log.last_sequence()
    async with projecting(desk.projector(projections=[picky])):
        await until(lambda: reached(desk, ("timeline",), end), "the read model to get to the end")

    async def texts() -> list[str | None]:
        return [row["data"].get("text") for row in await desk.models.timeline(case)][2:]

    letters, again = Letters(desk.nc, desk.log.site), ProjectAgain(desk.log, desk.dsn)
    (kept,) = await letters.newest(10)
    monkeypatch.setattr("dispatch.projections.again.all_projections", lambda: (picky,))
    with pytest.raises(Refused, match="cannot digest this"):
        await again(kept)
    assert await texts() == ["fine", "end"]
    monkeypatch.undo()
    before = await desk.models.positions()
    for _ in range(2):
        await again(kept)
    assert (await texts(), await desk.models.positions()) == (["fine", "poison", "end"], before)

    await CaseDesk(desk.log).handle(case, noted("n4", 4, "later"))
    await again(kept)
    assert (await texts())[2:] == ["end"], "what it has not come to it reads in its turn"

    async with projecting(desk.projector(projections=[timeline.PROJECTION])):
        await until(lambda: reached(desk, ("timeline",), end + 1), "the read model to get to the end")
    await letters.put(kept, Mark(deed="retried", by="operator:li", at=now()))
    applied = await sums(desk.dsn)
    await desk.rebuild("timeline")
    assert await sums(desk.dsn) == applied, "as a rebuild makes it"

    await desk.rebuild("timeline", projections=[picky])
    assert await desk.letters("project-timeline") == [end - 1, end - 1], "it came back"


async def test_a_commit_that_a_read_model_has_not_come_to_is_left_to_it(desk: Desk) -> None:
    """It was emptied, say, and is read anew: that is no failure of the letter."""
    subject = f"cases.{desk.log.site}.h-1.{await tell(desk.log, 'h-1')}"
    await _bury(desk, "project-board", await desk.log.last_sequence(), subject)
    (kept,) = await Letters(desk.nc, desk.log.site).newest(10)
    connection = await asyncpg.connect(desk.dsn)
    await checkpoints.begin(connection, desk.log.site, "board", await checkpoints.stream_created(desk.nc))
    await connection.close()
    await ProjectAgain(desk.log, desk.dsn)(kept)
    assert (await sums(desk.dsn))["board"][0] == 0


async def test_a_read_model_that_fails_stops_alone_and_goes_on_when_it_can(desk: Desk) -> None:
    connection = await asyncpg.connect(desk.dsn)
    await connection.execute("alter table calls rename to gone")
    others = tuple(name for name in TABLES if name != "calls")
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        end = await desk.log.last_sequence()
        await until(lambda: reached(desk, others, end), "the others to go on")
        assert (await desk.models.positions())["calls"] == 0
        await until(lambda: incident(desk, "calls"), "the incident to be told")
        await connection.execute("alter table gone rename to calls")
        await desk.caught_up()
        await until(lambda: no_incident(desk, "calls"), "the incident to be over")
    await connection.close()


async def test_one_that_is_far_behind_goes_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
    await forget(desk.dsn, desk.log.site, "latency")
    monkeypatch.setattr(lane, "NEAR", 3)
    with pytest.raises(lane.Apart) as apart:
        await lane.Lane(desk.nc, desk.log, desk.dsn, all_projections()).run()
    assert [projection.name for projection in apart.value.projections] == ["latency"]
    async with projecting(desk.projector()):
        await desk.caught_up()
