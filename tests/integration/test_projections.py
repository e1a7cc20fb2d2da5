"""Read models on a real log and a real Postgres: what they say, and that they say it again after any trouble."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client
from prometheus_client import REGISTRY

from dispatch.cases import fold
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats, EmbeddedPostgres
from dispatch.errors import Malformed, Refused, Unavailable
from dispatch.events import (
    CASES,
    DLQ,
    INCIDENTS,
    CaseLog,
    DeadLetter,
    Letters,
    Mark,
    connect,
    decode_letter,
    direct_get,
    ensure_streams,
)
from dispatch.identifiers import CaseId, HouseholdId
from dispatch.projections import (
    Change,
    ProjectAgain,
    Projection,
    Projector,
    ReadModels,
    all_projections,
    lane,
    rebuild,
    writer,
)
from dispatch.projections.models import timeline
from dispatch.settings import Settings
from tests.projection_stories import (
    TABLES,
    after,
    answered,
    cancelled,
    fill,
    forget,
    noted,
    press_on,
    projecting,
    recorded,
    resolved,
    sums,
    tell,
    until,
)


@dataclass
class Desk:
    """A site of one test: its log, its database, its read models."""

    nc: Client
    log: CaseLog
    dsn: str
    models: ReadModels
    url: str

    def projector(self, **options: Any) -> Projector:
        return Projector(self.nc, self.log, self.dsn, **options)

    async def rebuild(self, *names: str, **options: Any) -> list[str]:
        return await rebuild(self.nc, self.url, self.dsn, self.log.site, names, **options)

    async def caught_up(self, seconds: float = 20) -> None:
        end = await self.log.last_sequence()

        async def all_there() -> bool:
            try:
                return await self.models.wait_for(end, 0)
            except Unavailable:
                return False

        await until(all_there, f"the read models to reach {end}", seconds)

    async def letters(self, by: str) -> list[int]:
        request: dict[str, object] = {"seq": 1, "next_by_subj": f"dlq.{self.log.site}.{by}", "batch": 100}
        return [decode_letter(message.data).seq for message in await direct_get(self.nc, DLQ, request)]


async def opened(url: str, dsn: str, site: str) -> Desk:
    nc = await connect(url, "test")
    await ensure_streams(nc.jetstream())
    return Desk(nc, CaseLog(nc, site), dsn, ReadModels(dsn, site), url)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    desk = await opened(settings.require_nats(), settings.require_postgres(), settings.site)
    yield desk
    await desk.models.close()
    await desk.nc.close()


STORY = (
    recorded("r1", 1, ("p-1", "live", "sent"), ("p-2", "live", "failed"), ("p-3", "webhook", "unknown")),
    recorded("r2", 2, ("p-1", "live", "delivered"), ("p-3", "webhook", "sent")),
    answered("p-1", "going", 10, eta=5),
    answered("p-2", "cannot", 12),
    noted("n1", 20, "门锁着"),
    answered("p-1", "on_scene", 130),
    resolved(400),
)


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


async def test_killed_in_the_middle_of_five_thousand_commits(desk: Desk, settings: Settings) -> None:
    cases = await fill(desk.log, 700)
    events = [len(await desk.log.load(case)) for case in cases]
    assert sum(events) > 4000
    end = await desk.log.last_sequence()
    reached = 0
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.projection_stories",
            settings.require_nats(), desk.dsn, desk.log.site, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        target = reached + 400

        async def moved_on(target: int = target) -> bool:
            return max((await desk.models.positions()).values()) >= target

        first = min(message.metadata.sequence.stream for message in [await anext(desk.log.follow())])
        target = max(target, first + 400)
        await until(moved_on, "the projector to be in the middle")
        process.send_signal(signal.SIGKILL)
        await process.wait()
        reached = max((await desk.models.positions()).values())
    assert reached < end, "it was killed too late to prove anything"
    async with projecting(desk.projector()):
        await desk.caught_up(60)
        after_kills = await sums(desk.dsn)
        rows, _ = await desk.models.list_cases(status="all", limit=500)
        for row in rows[:50]:
            assert row["status"] == fold(await desk.log.load(row["case_id"])).status
        await desk.rebuild()
    assert after_kills["board"][0] == len(cases)
    assert await sums(desk.dsn) == after_kills


async def test_those_that_are_in_step_are_written_in_one_statement(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def alone(*_: object) -> None:
        raise AssertionError("it was to be written with the others")

    await tell(desk.log, "h-1", *STORY)
    async with projecting(desk.projector()):
        await desk.caught_up()
        monkeypatch.setattr(writer.Writer, "write", alone)
        await tell(desk.log, "h-2", *STORY)
        await desk.caught_up()
    assert (await sums(desk.dsn))["board"][0] == 2


async def test_two_runners_at_once_are_harmless(desk: Desk) -> None:
    async with projecting(desk.projector(batch=3)), projecting(desk.projector(batch=5)):
        await fill(desk.log, 40)
        await desk.caught_up()
    together = await sums(desk.dsn)
    await desk.rebuild()
    assert await sums(desk.dsn) == together


async def test_postgres_goes_away_and_comes_back(settings: Settings, fresh_postgres: EmbeddedPostgres) -> None:
    desk = await opened(settings.require_nats(), fresh_postgres.dsn, settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        await desk.caught_up()
        await fresh_postgres.stop()
        with pytest.raises(Unavailable):
            await desk.models.open_cases()
        case = await tell(desk.log, "h-2", answered("p-1", "going", 4))
        await until(lambda: _lags(behind=True), "the lag to be seen")
        await fresh_postgres.start()
        await desk.caught_up()
        await until(lambda: _lags(behind=False), "the lag to be gone")
        assert (await desk.models.open_cases())[0] == [case]
    await desk.models.close()
    await desk.nc.close()


async def _lags(*, behind: bool) -> bool:
    values = [
        REGISTRY.get_sample_value(f"dispatch_projection_lag_{unit}", {"projection": "board"}) or 0
        for unit in ("commits", "seconds")
    ]
    running = REGISTRY.get_sample_value("dispatch_projection_running", {"projection": "board"})
    return all(value > 0 for value in values) and not running if behind else values == [0, 0] and running == 1


async def test_nats_is_killed_and_started_again(settings: Settings, fresh_nats: EmbeddedNats) -> None:
    desk = await opened(fresh_nats.url, settings.require_postgres(), settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        await desk.caught_up()
        await fresh_nats.stop()
        await fresh_nats.start()
        await until(lambda: answers(desk), "NATS to be back")
        case = await tell(desk.log, "h-2")
        await desk.caught_up()
        assert (await desk.models.open_cases())[0] == [case]
    await desk.models.close()
    await desk.nc.close()


async def answers(desk: Desk) -> bool:
    try:
        await desk.log.head(HouseholdId("h-1"))
    except Unavailable:
        return False
    return True


async def test_poison_goes_to_the_dlq_once_and_the_others_go_on(desk: Desk) -> None:
    good = await tell(desk.log, "h-1")
    ack = await desk.nc.jetstream().publish(f"cases.{desk.log.site}.h-9.h-9-AAAAAAAA", b"{}", headers={"ce-id": "x"})
    orphan = await desk.nc.jetstream().publish(
        f"cases.{desk.log.site}.h-8.h-8-AAAAAAAA",
        b'{"events":[{"type":"case_noted.v1","at":"2026-11-21T12:00:00Z","note":"n","author":"a","text":"t"}]}',
        headers={"ce-id": "y"},
    )
    later = await tell(desk.log, "h-2", noted("nul", 5, "before\x00after"))
    await _buried_long_ago(desk, ack.seq)
    async with projecting(desk.projector()):
        await desk.caught_up()
        assert set((await desk.models.open_cases())[0]) == {good, later}
        assert (await desk.models.timeline(later))[-1]["data"]["text"] == "before\ufffdafter"
        before = await sums(desk.dsn)
    await desk.rebuild()
    assert await sums(desk.dsn) == before
    assert await desk.letters("project") == [ack.seq, orphan.seq]


async def _buried_long_ago(desk: Desk, seq: int) -> None:
    """A letter of an earlier reading, whose message id the server has forgotten."""
    letter = DeadLetter(by="project", reason="r", stream=CASES, subject="s", seq=seq, at=now(), headers={}, body=b"")
    await desk.nc.jetstream().publish(f"dlq.{desk.log.site}.project", msgspec.json.encode(letter))


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
            await until(lambda: _reached(desk, ("board", "timeline"), end), "both to get to the end")
        await desk.rebuild("board", "timeline", projections=[board, picky])
    async with projecting(desk.projector(projections=[board, picky])):
        await until(lambda: _reached(desk, ("board", "timeline"), end), "both to get to the end")
    assert [row["data"].get("text") for row in await desk.models.timeline(case)][2:] == ["fine", "end"]
    assert (await desk.models.list_cases())[0][0]["notes"] == 4
    assert await desk.letters("project-timeline") == [end - 2, end - 1]


async def test_what_was_buried_is_applied_after_its_cause_was_mended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = Projection(name="timeline", rows=_picky, queries=timeline.PROJECTION.queries)
    case = await tell(desk.log, "h-1", noted("n1", 1, "fine"), noted("n2", 2, "poison"), noted("n3", 3, "end"))
    end = await desk.log.last_sequence()
    async with projecting(desk.projector(projections=[picky])):
        await until(lambda: _reached(desk, ("timeline",), end), "the read model to get to the end")

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

    await letters.put(kept, Mark(deed="retried", by="operator:li", at=now()))
    applied = await sums(desk.dsn)
    await desk.rebuild("timeline")
    assert await sums(desk.dsn) == applied, "as a rebuild makes it"

    await desk.rebuild("timeline", projections=[picky])
    assert await desk.letters("project-timeline") == [end - 1, end - 1], "it came back"


async def _reached(desk: Desk, names: tuple[str, ...], seq: int) -> bool:
    positions = await desk.models.positions()
    return all(positions[name] >= seq for name in names)


async def test_a_read_model_that_fails_stops_alone_and_goes_on_when_it_can(desk: Desk) -> None:
    connection = await asyncpg.connect(desk.dsn)
    await connection.execute("alter table calls rename to gone")
    others = tuple(name for name in TABLES if name != "calls")
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1", *STORY)
        end = await desk.log.last_sequence()
        await until(lambda: _reached(desk, others, end), "the others to go on")
        assert (await desk.models.positions())["calls"] == 0
        await until(lambda: _incident(desk, "calls"), "the incident to be told")
        await connection.execute("alter table gone rename to calls")
        await desk.caught_up()
        await until(lambda: _no_incident(desk, "calls"), "the incident to be over")
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


async def _incident(desk: Desk, name: str) -> bool:
    request: dict[str, object] = {"last_by_subj": f"$KV.{INCIDENTS}.{desk.log.site}.projection.{name}"}
    reply = await desk.nc.request(f"$JS.API.DIRECT.GET.KV_{INCIDENTS}", msgspec.json.encode(request))
    return bool(reply.data)


async def _no_incident(desk: Desk, name: str) -> bool:
    return not await _incident(desk, name)


async def test_a_replaced_log_stops_the_read_models_until_they_are_rebuilt(
    settings: Settings, fresh_nats: EmbeddedNats
) -> None:
    desk = await opened(fresh_nats.url, settings.require_postgres(), settings.site)
    async with projecting(desk.projector()):
        await tell(desk.log, "h-1")
        await desk.caught_up()
        before = await sums(desk.dsn)
        await desk.nc.jetstream().delete_stream(CASES)
        await ensure_streams(desk.nc.jetstream())
        new = [await tell(desk.log, f"h-{number}", *STORY) for number in (2, 3)]
        await until(lambda: _incident(desk, "board"), "the incident to be told")
        assert await sums(desk.dsn) == before
        await desk.rebuild()
        await desk.caught_up(30)
        assert {row["case_id"] for row in (await desk.models.list_cases(status="all"))[0]} == set(new)
        await until(lambda: _no_incident(desk, "board"), "the incident to be over")
    await desk.models.close()
    await desk.nc.close()


async def test_a_log_that_lost_its_end_stops_the_read_models(desk: Desk) -> None:
    await tell(desk.log, "h-1")
    async with projecting(desk.projector()):
        await desk.caught_up()
    connection = await asyncpg.connect(desk.dsn)
    await connection.execute("update checkpoints set commit_id = 'another' where projection = 'board'")
    await connection.close()
    case = await tell(desk.log, "h-2")
    end = await desk.log.last_sequence()
    async with projecting(desk.projector()):
        await until(lambda: _reached(desk, tuple(name for name in TABLES if name != "board"), end), "the others")
        await until(lambda: _incident(desk, "board"), "the incident to be told")
    assert (await desk.models.positions())["board"] < end
    assert case not in (await desk.models.open_cases())[0]


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
