"""Past calls: rows of an older system's file, and the events that they become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dispatch.cases import Case, evolve
from dispatch.cases.escalation import waits_for
from dispatch.events import AlarmRaised, CaseResolved, ResponderCleared, ResponderReplied, RespondersCalled
from dispatch.history import PastCall, PastResponse, as_events, read_calls
from dispatch.identifiers import AreaId, PersonId, is_past, past_case_id, token
from dispatch.roster.imports.problems import Problem

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = datetime(2017, 1, 1, 8, tzinfo=UTC)
HEADER = "call_id,kind,area,raised_at,responder_id,called_at,en_route_at,on_scene_at,cleared_at"
PACIFIC = ZoneInfo("America/Los_Angeles")


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def folded(call: PastCall) -> Case:
    case = Case()
    for event in as_events(call, (call.area, AreaId("county"))):
        case = evolve(case, event)
    return case


def past(*responses: PastResponse) -> PastCall:
    return PastCall(call="c-1", kind="fire", area=AreaId("a-1"), raised_at=START, responses=responses)


def test_a_past_call_becomes_events_with_its_own_times() -> None:
    first = PastResponse(
        responder=PersonId("e-1"),
        called_at=after(60),
        en_route_at=after(90),
        on_scene_at=after(300),
        cleared_at=after(900),
    )
    second = PastResponse(responder=PersonId("e-2"), called_at=after(120), cleared_at=after(130))
    events = as_events(past(second, first), (AreaId("a-1"), AreaId("county")))
    assert [(type(event), event.at) for event in events] == [
        (AlarmRaised, START),
        (RespondersCalled, after(60)),
        (ResponderReplied, after(90)),
        (RespondersCalled, after(120)),
        (ResponderCleared, after(130)),
        (ResponderReplied, after(300)),
        (ResponderCleared, after(900)),
        (CaseResolved, after(900)),
    ]


def test_an_imported_case_is_over_and_owes_nobody_a_call() -> None:
    never_closed = folded(past(PastResponse(responder=PersonId("e-1"), called_at=after(60))))
    assert never_closed.is_imported
    assert not never_closed.is_open
    assert never_closed.closing is None
    assert never_closed.owed() == []
    assert waits_for(never_closed) is None
    assert never_closed.firsts.called == after(60)


def test_nothing_is_invented_for_a_moment_that_is_not_known() -> None:
    case = folded(past(PastResponse(responder=PersonId("e-1"), on_scene_at=after(300))))
    assert (case.firsts.called, case.firsts.going, case.firsts.on_scene) == (None, None, after(300))
    listed = folded(past(PastResponse(responder=PersonId("e-2"))))
    assert [(gap.what, gap.reason) for gap in listed.gaps] == [("responder:e-2", "listed without any time")]
    assert listed.firsts.called is None


def test_the_same_facts_are_the_same_commit_whatever_the_order_of_their_rows() -> None:
    one, two = PastResponse(responder=PersonId("e-1"), called_at=START), PastResponse(responder=PersonId("e-2"))
    assert past(one, two).commit == past(two, one).commit
    assert past(one).commit != past(one, two).commit


@pytest.mark.parametrize("call", ["170010001", "h-0001", "含中文 / 空格", "x" * 64])
def test_the_id_of_a_past_case_can_stand_anywhere_and_is_no_households(call: str) -> None:
    case = past_case_id(call)
    assert token(case, "case") == case
    assert is_past(case)


def read(
    tmp_path: Path, *lines: str, zone: ZoneInfo | None = PACIFIC, header: str = HEADER
) -> tuple[list[PastCall], list[Problem]]:
    path = tmp_path / "calls.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    found = read_calls(path, zone, NOW, lambda *_: None)
    return [call for _, call in found.calls], list(found.problems)


def test_rows_of_a_call_are_brought_together_wherever_they_stand(tmp_path: Path) -> None:
    calls, problems = read(
        tmp_path,
        "1,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:01:00,,,",
        "2,medical,a-1,2017-01-01T00:00:30-08:00,,,,,",
        "1,fire,a-1,2017-01-01 00:00:00,e-2,2017-01-01 00:02:00,,,2017-01-01 00:09:00",
        "1,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:01:00,,,",
    )
    assert problems == []
    assert [(call.call, [one.responder for one in call.responses]) for call in calls] == [
        ("1", ["e-1", "e-2"]),
        ("2", []),
    ]
    assert calls[0].raised_at == START
    assert calls[0].responses[1].cleared_at == after(540)


@pytest.mark.parametrize(
    ("line", "column", "wrong"),
    [
        (",fire,a-1,2017-01-01 00:00:00,e-1,,,,", "call_id", "is empty"),
        ("1,flood,a-1,2017-01-01 00:00:00,e-1,,,,", "kind", "is no kind of case"),
        ("1,fire,a 1,2017-01-01 00:00:00,e-1,,,,", "area", "is not an id"),
        ("1,fire,a-1,,e-1,,,,", "raised_at", "is empty"),
        ("1,fire,a-1,yesterday,e-1,,,,", "raised_at", "is not a time"),
        ("1,fire,a-1,2017-03-12 02:30:00,e-1,,,,", "raised_at", "never was"),
        ("1,fire,a-1,2027-01-01 00:00:00,e-1,,,,", "raised_at", "is in the future"),
        ("1,fire,a-1,2017-01-01,e-1,,,,", "raised_at", "is not a time"),
        ("1,fire,a-1,2025-11-02 01:30:00,e-1,,,,", "raised_at", "was twice"),
        ("1,fire,a-1,0202-01-01 00:00:00,e-1,,,,", "raised_at", "is too long ago"),
        ("1,fire,a-1,2017-01-01 00:00:00,,2017-01-01 00:01:00,,,", "responder_id", "is empty"),
        ("1,fire,a-1,2017-01-01 00:00:00,e;1,,,,", "responder_id", "is not an id"),
    ],
)
def test_a_wrong_cell_is_named_with_line_and_column(tmp_path: Path, line: str, column: str, wrong: str) -> None:
    calls, problems = read(tmp_path, "0,fire,a-1,2017-01-01 00:00:00,e-1,,,,", line)
    assert [call.call for call in calls] == ["0"]
    assert [(problem.place.line, problem.header) for problem in problems] == [(3, column)]
    assert wrong in problems[0].wrong


@pytest.mark.parametrize(
    ("times", "column", "wrong"),
    [
        ("2016-12-31 23:59:00,,,", "called_at", "is before raised_at, 2017-01-01 00:00:00"),
        ("2017-01-01 00:01:00,2017-01-01 00:06:00,2017-01-01 00:05:00,", "on_scene_at", "is before en_route_at"),
        (",2017-01-01 00:06:00,,2017-01-01 00:05:00", "cleared_at", "is before en_route_at"),
    ],
)
def test_a_step_before_an_earlier_one_is_taken_and_said(tmp_path: Path, times: str, column: str, wrong: str) -> None:
    path = tmp_path / "calls.csv"
    good = "0,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:00:00,,2017-01-01 00:05:00,2017-01-01 00:05:00"
    path.write_text("\n".join([HEADER, good, f"1,fire,a-1,2017-01-01 00:00:00,e-1,{times}", ""]))
    found = read_calls(path, PACIFIC, NOW, lambda _stage, _done, _total: None)
    assert ([call.call for _, call in found.calls], found.problems) == (["0", "1"], ())
    assert [(one.place.line, one.header) for one in found.backwards] == [(3, column)]
    assert wrong in found.backwards[0].wrong


def test_a_time_without_a_zone_is_not_guessed(tmp_path: Path) -> None:
    row = "1,fire,a-1,2017-01-01 00:00:00,{},2017-01-01 00:01:00,,,"
    good = "2,fire,a-1,2017-01-01 00:00:00+08:00,e-1,,,,"
    calls, (problem,) = read(tmp_path, good, *(row.format(f"e-{number}") for number in range(3)), zone=None)
    assert [call.call for call in calls] == ["2"]
    assert (problem.place.line, problem.header) == (3, "raised_at")
    assert problem.wrong == "does not say its zone, as in 3 rows of this file"
    assert "--timezone" in problem.advice


def test_a_call_whose_rows_contradict_each_other_is_left_out_whole(tmp_path: Path) -> None:
    calls, problems = read(
        tmp_path,
        "1,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:01:00,,,",
        "1,medical,a-1,2017-01-01 00:00:00,e-2,,,,",
        "2,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:01:00,,,",
        "2,fire,a-1,2017-01-01 00:00:00,e-1,2017-01-01 00:02:00,,,",
    )
    assert calls == []
    assert [(problem.place.line, problem.header) for problem in problems] == [(3, "kind"), (5, "responder_id")]


def test_a_file_without_a_column_says_which(tmp_path: Path) -> None:
    calls, (problem,) = read(tmp_path, "1", header="call_id,colour")
    assert calls == []
    assert "kind, area, raised_at" in problem.wrong


def test_a_column_that_is_there_twice_is_not_guessed(tmp_path: Path) -> None:
    calls, (problem,) = read(tmp_path, "1", header=f"{HEADER},kind")
    assert calls == []
    assert "kind more than once" in problem.wrong


def test_more_responders_than_one_message_holds_are_named(tmp_path: Path) -> None:
    rows = (f"1,fire,a-1,2017-01-01 00:00:00,e-{n},2017-01-01 00:01:00,,," for n in range(501))
    calls, (problem,) = read(tmp_path, *rows)
    assert calls == []
    assert (problem.place.line, "more than 500" in problem.wrong) == (502, True)
