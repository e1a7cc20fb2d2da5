"""What an operator reads on a terminal of cases and of what happened on one."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console, RenderableType

from dispatch.cases import Command, HandOver, Pause, Resolve, fold
from dispatch.cli import case_screens
from dispatch.cli.case_screens import ROLES, board
from dispatch.cli.timeline_screen import EVENTS, timeline
from dispatch.events import Commit, Event, Role
from dispatch.events.codec import decode_events
from dispatch.identifiers import CaseId, CommitId, Site
from dispatch.projections.models.timeline import TimelineRow, rows
from dispatch.projections.projection import Change
from dispatch.web.names import Names
from dispatch.web.views import Viewer, view
from tests.unit.escalation_story import ANNA, LI, answer, at, carry_out, press, step, widen

GOLDEN = Path(__file__).parent / "golden" / "case.json"
AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def on_screen(table: RenderableType) -> str:
    console = Console(file=StringIO(), width=400)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def everything_that_can_happen() -> list[TimelineRow]:
    events = decode_events(GOLDEN.read_bytes())
    commit = Commit(id=CommitId("golden"), case=CaseId("h-0012-7K3M2QXZ"), events=events, seq=1, stored_at=AT)
    return rows(Change(site=Site("s"), case=fold([commit]), commits=(commit,)))


def test_every_event_there_is_has_words() -> None:
    assert EVENTS.keys() == {str(kind.__struct_config__.tag).rpartition(".")[0] for kind in get_args(Event)}


def test_every_role_in_which_somebody_is_called_has_words() -> None:
    assert ROLES.keys() == set(get_args(Role))


def test_no_event_is_shown_as_the_program_holds_it() -> None:
    shown = on_screen(timeline(everything_that_can_happen(), Names()))
    assert [raw for raw in ("{", "}", "Quorum", "PolicyStep", "datetime", "None", "()") if raw in shown] == []


@pytest.mark.parametrize(
    ("of", "data", "said"),
    [
        (
            "escalated",
            {"position": 1, "because": "no_answer", "by": "system"},
            "第2步 step 2: 应答不够 too few answered",
        ),
        (
            "responder_replied",
            {"responder": "p-1", "answer": "going", "eta_minutes": 5, "via": "operator"},
            "p-1: 前往 going, 5 min（代记 noted by an operator）",
        ),
        ("handed_over", {"to": (), "by": "operator:wang"}, "! 名册未登记110 the roster has no post of 110 (wang)"),
        ("responders_stood_down", {"responders": ("p-1", "p-2"), "by": "operator:wang"}, "p-1, p-2 (wang)"),
    ],
)
def test_what_is_said_of_an_event(of: str, data: dict[str, object], said: str) -> None:
    _, lines = EVENTS[of]
    assert list(lines(data, Names())) == [said]


def test_a_pause_that_is_taken_back_is_called_so() -> None:
    paused, resumed = [row for row in everything_that_can_happen() if row.type == "escalation_paused"]
    assert "暂停升级 paused │ 至 until 2026-11-21 20:05:50+08:00 (op-1)" in on_screen(timeline([paused], Names()))
    shown = " ".join(on_screen(timeline([resumed], Names())).split())
    assert "继续升级 resumed │ wang │" in shown
    assert "paused" not in shown


def test_a_pause_is_shown_until_it_ends_also_where_the_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pause = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(310))
    story, _ = carry_out(press(), answer(ANNA, "going", 5), answer(LI, "going", 6), pause)
    shown = view(story, Names(), Viewer("operator", "wang"))
    for seconds, is_paused in ((309, True), (310, False)):
        monkeypatch.setattr(case_screens, "now", lambda seconds=seconds: at(seconds))
        screen = on_screen(case_screens.case(shown))
        assert "等待到场 waits for the first to arrive" in screen
        assert ("wang 已暂停 paused it" in screen) == is_paused


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "第1步，共3步 step 1 of 3: 等待升级 waits to widen"),
        ((widen(20),), "第1步，共3步 step 1 of 3: 等待升级 waits to widen，至 until 2026-11-22 04:00:20+08:00"),
        ((step(1, 310), step(2, 370), step(3, 400)), "第3步，共3步 step 3 of 3: 等待应答 waits for answers"),
    ],
)
def test_the_step_that_was_taken_last_is_counted_and_a_wish_waits_for_no_pause(
    monkeypatch: pytest.MonkeyPatch, asked: tuple[Command, ...], said: str
) -> None:
    monkeypatch.setattr(case_screens, "now", lambda: at(30))
    pause = Pause(id=CommitId("pause"), at=at(10), by="operator:wang", until=at(310))
    story, _ = carry_out(press(), pause, *asked)
    screen = on_screen(case_screens.case(view(story, Names(), Viewer("operator", "wang"))))
    assert said in screen
    assert ("已暂停 paused it" in screen) == (asked == ())


def test_who_must_telephone_110_themselves_is_told_so_until_the_case_is_over() -> None:
    story, _ = carry_out(press(), HandOver(id=CommitId("110"), at=at(20), by="operator:wang", calls=(), gaps=()))
    over, _ = carry_out(Resolve(id=CommitId("end"), at=at(30), by="op", resolution="helped"), case=story)
    for known, is_open in ((story, True), (over, False)):
        screen = on_screen(case_screens.case(view(known, Names(), Viewer("operator", "wang"))))
        assert "移交110 handed over" in screen
        assert ("请立即自行拨打110" in screen) == is_open


@pytest.mark.parametrize(
    ("silent", "duress", "said"),
    [
        (False, False, "求助 help"),
        (True, False, "求助 help 静默 silent"),
        (False, True, "【胁迫 DURESS】求助 help 静默 silent"),
    ],
)
def test_a_list_of_cases_says_where_nobody_may_ring_back(silent: bool, duress: bool, said: str) -> None:
    row = {
        "case_id": "h-1-7K3M2QXZ",
        "status": "raised",
        "kind": "help",
        "drill": False,
        "silent": silent,
        "duress": duress,
        "raised_at": AT,
        "household": "h-1",
        "areas": (),
        "coming": 0,
        "on_scene": 0,
        "called": 3,
    }
    assert f" {said} │" in " ".join(on_screen(board([row], Names())).split())
