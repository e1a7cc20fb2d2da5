"""A drill's report, its sheet, the steps it takes; and how well a group can be reached. All pure."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.cases import REAL_ALARM, Plan, Policy
from dispatch.drills import Drill, Line, case_of, report_of, sheet
from dispatch.drills.report import ENDED, NO_CASE, NO_POINT, Report
from dispatch.drills.sheet import FORMULA, safe
from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    Commit,
    DuressSignalled,
    Event,
    Gap,
    PlannedCall,
    PolicyStep,
    Quorum,
    Reason,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.fanout.drills import of_its_own
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId
from dispatch.roster import ContactPoint, Group, Person, WebhookPoint, WebPushPoint, reach_of

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOME, AWAY = HouseholdId("h-1"), HouseholdId("h-2")
DRILL = Drill(
    id="d-1",
    by="operator:li",
    at=AT,
    until=AT + timedelta(minutes=10),
    kind="fire",
    households=(HOME, AWAY),
    left_out=(Gap(what="group g-9 九组", reason="没有住户 / it has no household"),),
)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def commits(*events: Event) -> list[Commit]:
    case = case_of(DRILL.id, HOME)
    raised = AlarmRaised(
        at=AT, case=case, household=HOME, press=PressId(DRILL.id), device="drill:d-1", kind="fire", source="desk",
        pressed_at=AT, accepted_at=AT, drill=True, group=GroupId("g-1"),
    )  # fmt: skip
    calls = tuple(
        PlannedCall(responder=PersonId(f"p-{n}"), reasons=(Reason("member", "g-1"),), channels=("live", "webpush"))
        for n in range(6)
    )
    called = RespondersCalled(at=AT, step=0, calls=calls)
    return [
        Commit(id=CommitId(str(n)), case=case, events=(event,), seq=n + 1, stored_at=AT)
        for n, event in enumerate((raised, called, *events))
    ]


def came(person: int, at: float, outcome: Any, channel: Any = "webpush", reason: str | None = None) -> CallOutcome:
    return CallOutcome(
        step=0, responder=PersonId(f"p-{person}"), channel=channel, outcome=outcome, at=after(at), reason=reason
    )


def told(*outcomes: CallOutcome) -> CallsRecorded:
    return CallsRecorded(at=outcomes[0].at, outcomes=outcomes)


def replied(person: int, at: float, answer: Any) -> ResponderReplied:
    return ResponderReplied(
        at=after(at), reply=f"r{person}{at}", responder=PersonId(f"p-{person}"), answer=answer, via="page"
    )


def made(*events: Event) -> Report:
    return report_of(DRILL, {HOME: commits(*events), AWAY: []})


def line(report: Report, person: int) -> Line:
    return next(line for line in report.lines if line.responder == f"p-{person}")


NO_PAGE = [came(n, 0.1, "failed", "live", "no open page") for n in range(5)]


def test_who_was_reached_when_and_who_was_not_and_why() -> None:
    report = made(
        told(*NO_PAGE, *(came(n, 0.2, "sent") for n in range(4)), came(4, 0.2, "failed", reason="subscription gone")),
        told(came(0, 1, "delivered"), came(1, 2, "delivered"), came(2, 3, "delivered")),
        told(came(1, 4, "seen")),
        replied(0, 5, "going"),
        replied(0, 50, "on_scene"),
    )
    assert (report.called, report.reached, report.answered, report.open_cases) == (6, 3, 1, 1)
    times = [(line(report, n).delivered_seconds, line(report, n).seen_seconds) for n in range(4)]
    assert times == [(1, None), (2, 4), (3, None), (None, None)]
    assert (line(report, 0).answered_seconds, line(report, 0).answer, line(report, 0).why) == (5, "on_scene", "")
    assert "已送达，未应答" in line(report, 2).why
    assert "handed over, no receipt" in line(report, 3).why
    assert line(report, 4).why == "live: no open page; webpush: subscription gone"
    assert "正在呼叫" in line(report, 5).why
    assert report.missing == (("group g-9 九组", "没有住户 / it has no household"), ("household h-2", NO_CASE))


def test_of_who_has_no_contact_point_that_is_said() -> None:
    nobody_s_phone = PlannedCall(responder=PersonId("p-6"), reasons=(Reason("member", "g-1"),), channels=())
    report = made(RespondersCalled(at=AT, step=1, calls=(nobody_s_phone,)))
    assert line(report, 6).why == NO_POINT


def test_a_report_is_the_same_after_the_drill() -> None:
    events = (told(*NO_PAGE, came(0, 1, "delivered")), replied(0, 5, "cannot"))
    over = CaseCancelled(at=after(600), by="system", reason="over")
    during, afterwards = made(*events), made(*events, over)
    assert (during.open_cases, afterwards.open_cases) == (1, 0)
    assert during.lines == afterwards.lines


def test_that_a_real_alarm_ended_it_somewhere_is_said() -> None:
    ended = ("household h-1", ENDED)
    assert ended in made(CaseCancelled(at=after(60), by="operator:li", reason=REAL_ALARM)).missing
    assert ended in made(DuressSignalled(at=after(60), by="device:h-1")).missing
    assert ended not in made(CaseCancelled(at=after(60), by="system", reason="over")).missing


def test_an_answer_without_a_receipt_proves_that_they_were_reached() -> None:
    report = made(told(*NO_PAGE, came(0, 1, "sent")), replied(0, 9, "cannot"))
    assert line(report, 0).reached


def test_no_cell_of_the_sheet_is_a_formula() -> None:
    names = {"p-0": "=HYPERLINK(1)", "p-1": "+86", "p-2": "-1", "p-3": "@x", "p-4": 'a "b", c', "h-1": "李家"}
    text = sheet(made(told(*NO_PAGE)), names)
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row[5] for row in rows[1:6]] == ["'=HYPERLINK(1)", "'+86", "'-1", "'@x", 'a "b", c']
    assert len({len(row) for row in rows}) == 1


@given(st.text())
def test_what_is_safe_begins_with_no_formula(cell: str) -> None:
    assert not safe(cell).startswith(FORMULA)
    assert safe(cell).endswith(cell)


def plan(*calls: Any) -> Plan:
    steps = tuple(PolicyStep(call=call, within_seconds=45) for call in calls)
    policy = Policy(id="p", quorum=Quorum(), steps=steps)
    return Plan(group=None, areas=(), calls=(), policy=policy)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (
            (("group", "officers"), ("again", "neighbour_leaders"), ("station",), ("again", "command_centre")),
            [("group", "officers"), ("again",), ("again",)],
        ),
        ((("station",),), [("station",)]),
    ],
)
def test_a_drill_calls_its_own_alone(policy: Any, left: Any) -> None:
    fitted = of_its_own(plan(*policy)).policy
    assert fitted is not None
    assert [step.call for step in fitted.steps] == left


HOOK = WebhookPoint(url="https://x.example", secret="s")
EXPIRED = WebPushPoint(endpoint="https://x.example", p256dh="k", auth="a", retired="HTTP 410")


def test_whom_a_group_can_count_on_and_why_not() -> None:
    points: dict[str, tuple[ContactPoint, ...]] = {
        "p-1": (HOOK,),
        "p-2": (HOOK,),
        "p-3": (EXPIRED,),
        "p-4": (),
        "p-5": (EXPIRED, HOOK),
    }
    points["p-6"] = (EXPIRED,)
    people = {PersonId(id_): Person(id=PersonId(id_), name=id_, contact_points=of) for id_, of in points.items()}
    group = Group(
        id=GroupId("g-1"), name="一组", area=AreaId("a"), leader=PersonId("p-5"),
        members=tuple(PersonId(f"p-{n}") for n in range(1, 8)),
    )  # fmt: skip
    proofs = {"p-1": AT - timedelta(days=30), "p-2": AT - timedelta(days=31), "p-5": AT, "p-6": AT}
    reach = reach_of(group, people, {PersonId(id_): at for id_, at in proofs.items()}, AT)
    assert [(one.person, one.standing) for one in reach.people] == [
        ("p-5", "proven"), ("p-1", "proven"), ("p-2", "unproven"), ("p-3", "retired"), ("p-4", "none"),
        ("p-6", "retired"), ("p-7", "missing"),
    ]  # fmt: skip
    assert (reach.proven, round(reach.score, 3)) == (2, 0.286)
    assert reach.people[0].retired == ("HTTP 410",), "an expired subscription shows, also beside one that works"


def test_a_group_of_nobody_scores_nothing() -> None:
    assert reach_of(Group(id=GroupId("g"), name="", area=AreaId("a"), members=()), {}, {}, AT).score == 0
