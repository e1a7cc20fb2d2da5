"""What of a case is shown to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace
from pydantic import TypeAdapter

from dispatch.cases import Case, evolve, fold
from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Commit,
    DuressSignalled,
    EscalationPaused,
    Event,
    Gap,
    HouseholdStamped,
    PlannedCall,
    Reason,
    ResidentsSpared,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
)
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId, notification_id
from dispatch.roster import Area, Group, Household, Person
from dispatch.web.case_view import CaseView
from dispatch.web.names import Names
from dispatch.web.views import LIVES_THERE, Viewer, view, without_whereabouts

T0 = datetime(2026, 11, 21, 8, tzinfo=UTC)
CASE = CaseId("h-1-ABCDEFGH")
OPERATOR = Viewer("operator", "wang")
RESPONDER = Viewer("responder", "p-1")
DEVICE = Viewer("device", "h-1")
VIEWERS = (OPERATOR, RESPONDER, DEVICE)
NAMES = Names(
    people={PersonId(p): Person(id=PersonId(p), name=f"人{p}", phone=f"+86{p}") for p in ("p-1", "p-2")},
    households={
        HouseholdId("h-1"): Household(
            id=HouseholdId("h-1"), name="李家", address="1 号", area=AreaId("v-1"), phone="+861", note="狗"
        )
    },
    groups={GroupId("g-1"): Group(id=GroupId("g-1"), name="一组", area=AreaId("v-1"), members=())},
    areas={AreaId("v-1"): Area(id=AreaId("v-1"), name="茅州村", kind="village")},
)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def called(step: int, *people: str, role: Any = "member", of: str = "g-1") -> RespondersCalled:
    calls = tuple(
        PlannedCall(responder=PersonId(p), reasons=(Reason(role, of),), channels=("live", "webpush")) for p in people
    )
    return RespondersCalled(at=at(step), step=step, calls=calls)


def outcome(person: str, channel: Any, what: Any, *, step: int = 0, reason: str | None = None) -> CallsRecorded:
    one = CallOutcome(
        step=step, responder=PersonId(person), channel=channel, outcome=what, at=at(step + 0.1), reason=reason
    )
    return CallsRecorded(at=at(step + 0.1), outcomes=(one,))


def replied(person: str, answer: Any, minute: float, eta: int | None = None) -> ResponderReplied:
    return ResponderReplied(
        at=at(minute), reply=f"{person}{minute}", responder=PersonId(person), answer=answer, via="page", eta_minutes=eta
    )


def case(*events: Any) -> Case:
    raised = AlarmRaised(
        at=at(0),
        case=CASE,
        household=HouseholdId("h-1"),
        press=PressId("a"),
        device="d",
        kind="fire",
        source="http",
        pressed_at=at(0),
        accepted_at=at(0),
        group=GroupId("g-1"),
        areas=(AreaId("v-1"), AreaId("t-1")),
    )
    folded = evolve(Case(), raised)
    for event in events:
        folded = evolve(folded, event)
    return folded


def responder(shown: CaseView, person: str) -> dict[str, Any]:
    return dict(next(one for one in shown["responders"] if one["id"] == person))


def test_every_audience_gets_a_view_that_fits_its_schema() -> None:
    story = case(called(0, "p-1", "p-2"), outcome("p-1", "live", "sent"), replied("p-1", "going", 1, 5))
    for viewer in (OPERATOR, RESPONDER, DEVICE):
        for shown in (view(story, NAMES, viewer), without_whereabouts(view(story, NAMES, viewer))):
            TypeAdapter(CaseView).validate_python(shown, strict=True)


def test_names_come_from_the_roster_and_ids_stand_where_it_has_none() -> None:
    shown = view(case(called(0, "p-1", "p-9")), NAMES, OPERATOR)
    assert shown["areas"] == [{"id": "v-1", "name": "茅州村"}, {"id": "t-1", "name": "t-1"}]
    assert shown["group"] == {"id": "g-1", "name": "一组"}
    assert responder(shown, "p-1")["name"] == "人p-1"
    assert responder(shown, "p-9")["name"] == "p-9"
    assert responder(shown, "p-1")["roles"] == [{"role": "member", "of": "g-1", "of_name": "一组"}]


def test_a_device_sees_no_phone_no_channel_no_note() -> None:
    story = case(called(0, "p-1"), CaseNoted(at=at(1), note="n", author="operator:wang", text="secret"))
    text = msgspec.json.encode(view(story, NAMES, DEVICE)).decode()
    assert "+86" not in text
    assert "channels" not in text
    assert "secret" not in text
    assert "狗" not in text
    assert "李家" in text


def test_what_a_device_may_not_see_moves_no_number_that_it_is_given() -> None:
    note = CaseNoted(at=at(1), note="n", author="operator:wang", text="secret")
    commits = [Commit(id=CommitId(str(n)), case=CASE, seq=n, stored_at=at(n), events=(note,)) for n in (7, 9)]
    before = fold(commits[:1], case(called(0, "p-1")))
    after = fold(commits[1:], before)
    assert view(after, NAMES, DEVICE) == view(before, NAMES, DEVICE)
    for viewer in (OPERATOR, RESPONDER):
        assert view(after, NAMES, viewer)["version"] == view(before, NAMES, viewer)["version"] + 1
    assert view(after, NAMES, OPERATOR)["seq"] == 9
    assert not any("seq" in view(after, NAMES, viewer) for viewer in (DEVICE, RESPONDER))


def test_what_comes_of_the_calls_of_who_is_left_out_moves_no_number_but_an_operator_s() -> None:
    left_out = ResponderLeftOut(at=at(1), responder=PersonId("p-2"), by="op")
    events: list[Event] = [left_out, outcome("p-2", "webpush", "delivered"), outcome("p-1", "webpush", "sent")]
    commits = [
        Commit(id=CommitId(str(n)), case=CASE, seq=n, stored_at=at(n), events=(event,))
        for n, event in enumerate(events, start=7)
    ]
    begun = case(called(0, "p-1", "p-2"))
    stories = [fold(commits[:count], begun) for count in range(4)]
    versions = {viewer.role: [view(one, NAMES, viewer)["version"] for one in stories] for viewer in VIEWERS}
    assert versions == {"operator": [0, 1, 2, 3], "responder": [0, 1, 1, 2], "device": [0, 1, 1, 2]}


def test_commits_that_cannot_be_read_take_no_number_back() -> None:
    """As of an event of a later version, in a process that was not updated yet."""
    left_out = ResponderLeftOut(at=at(1), responder=PersonId("p-2"), by="op")
    unreadable = [Commit(id=CommitId(""), case=CASE, seq=n, stored_at=at(n), events=()) for n in (7, 8, 9)]
    story = case(called(0, "p-1", "p-2"), left_out)
    versions = [view(fold(unreadable[:count], story), NAMES, DEVICE)["version"] for count in range(4)]
    assert versions == sorted(versions)


def test_a_responder_sees_the_household_s_phone_and_their_own_and_nobody_else_s() -> None:
    shown = view(case(called(0, "p-1", "p-2")), NAMES, RESPONDER)
    assert shown["household"]["phone"] == "+861"
    assert responder(shown, "p-1")["phone"] == "+86p-1"
    assert "phone" not in responder(shown, "p-2")
    assert (shown["you"], shown["notification"]) == ("p-1", notification_id(CASE, PersonId("p-1")))


def test_an_operator_sees_every_phone() -> None:
    shown = view(case(called(0, "p-1", "p-2")), NAMES, OPERATOR)
    assert responder(shown, "p-2")["phone"] == "+86p-2"
    assert "you" not in shown


def test_a_call_is_owed_until_something_came_of_it() -> None:
    assert responder(view(case(called(0, "p-1")), NAMES, OPERATOR), "p-1")["state"] == "owed"


def test_one_failed_channel_is_not_the_last_word_while_another_was_not_tried() -> None:
    failed = case(called(0, "p-1"), outcome("p-1", "live", "failed", reason="no open page"))
    assert responder(view(failed, NAMES, OPERATOR), "p-1")["state"] == "owed"
    both = evolve(failed, outcome("p-1", "webpush", "failed", reason="gone"))
    shown = responder(view(both, NAMES, OPERATOR), "p-1")
    assert shown["state"] == "failed"
    assert [c["reason"] for c in shown["channels"]] == ["no open page", "gone"]


def test_a_responder_called_in_two_steps_stands_there_once_with_the_best_of_both() -> None:
    story = case(
        called(0, "p-1"),
        outcome("p-1", "webpush", "delivered"),
        called(1, "p-1", role="auxiliary_officer", of="v-1"),
        outcome("p-1", "webpush", "sent", step=1),
    )
    shown = view(story, NAMES, OPERATOR)
    assert len(shown["responders"]) == 1
    one = responder(shown, "p-1")
    assert (one["step"], one["state"]) == (1, "delivered")
    assert [r["role"] for r in one["roles"]] == ["member", "auxiliary_officer"]


def test_who_comes_and_when() -> None:
    story = case(
        called(0, "p-1", "p-2", "p-3"),
        replied("p-1", "going", 1, 9),
        replied("p-2", "going", 3, 4),
        replied("p-3", "going", 4),
    )
    shown = view(story, NAMES, DEVICE)
    assert (shown["coming"], shown["on_scene"], shown["nearest_eta_at"]) == (3, 0, at(7))
    arrived = view(evolve(story, replied("p-2", "on_scene", 6)), NAMES, DEVICE)
    assert (arrived["coming"], arrived["on_scene"], arrived["nearest_eta_at"]) == (2, 1, at(10))


def test_authors_are_named_and_a_cancelled_case_has_no_resolution() -> None:
    noted = CaseNoted(at=at(1), note="n", author="responder:p-1", text="x")
    shown = view(case(called(0, "p-1"), noted, CaseCancelled(at=at(2), by="device:h-1")), NAMES, OPERATOR)
    assert shown["notes"][0]["author"] == "人p-1"
    assert shown["closing"] == {"by": "李家", "at": at(2), "resolution": None, "text": ""}
    resolved = view(case(CaseResolved(at=at(2), by="operator:wang", resolution="helped")), NAMES, OPERATOR)
    assert resolved["closing"] is not None
    assert resolved["closing"]["by"] == "wang"


def test_times_are_written_in_utc_with_a_z() -> None:
    assert b'"raised_at":"2026-11-21T08:00:00Z"' in msgspec.json.encode(view(case(), NAMES, OPERATOR))


def test_under_duress_the_device_sees_the_cancelled_case_and_nobody_else_does() -> None:
    signalled = DuressSignalled(at=at(2), by="device:h-1", reason="a slip")
    really = case(called(0, "p-1", "p-2"), CaseCancelled(at=at(2), by="device:h-1", reason="a slip"))
    story = case(called(0, "p-1", "p-2"), signalled, replied("p-1", "going", 3))
    assert view(story, NAMES, DEVICE) == view(really, NAMES, DEVICE)
    for viewer in (OPERATOR, RESPONDER):
        shown = view(story, NAMES, viewer)
        assert (shown["status"], shown["duress"], shown["silent"], shown["coming"]) == ("under_way", True, True, 1)


def test_who_lives_there_sees_what_the_device_sees_and_an_operator_that_they_were_spared() -> None:
    at_home = HouseholdStamped(at=at(0), residents=(PersonId("p-1"),), beside=CaseId("h-1-AAAAAAAA"))
    signalled = DuressSignalled(at=at(2), by="device:h-1")
    spared = ResidentsSpared(at=at(3), step=1, people=(PersonId("p-1"),))
    story = case(at_home, called(0, "p-1", "p-2"), signalled, spared, replied("p-2", "going", 3))
    shown = view(story, NAMES, Viewer("responder", "p-1"))
    assert [shown[name] for name in ("status", "duress", "silent", "beside", "coming")] == [
        "cancelled", False, False, None, 0,
    ]  # fmt: skip
    shown = view(story, NAMES, Viewer("responder", "p-2"))
    assert (shown["status"], shown["duress"], shown["beside"]) == ("under_way", True, "h-1-AAAAAAAA")
    assert shown["gaps"] == []
    (gap,) = view(story, NAMES, OPERATOR)["gaps"]
    assert (gap["what"], gap["reason"]) == ("人p-1", LIVES_THERE)
    assert view(story, NAMES, Viewer("operator", "p-1"))["duress"], "an operator may be called as they like"


def test_of_who_is_left_out_nobody_is_told_but_operators() -> None:
    left_out = ResponderLeftOut(at=at(2), responder=PersonId("p-2"), by="op")
    story = case(called(0, "p-1", "p-2"), replied("p-2", "going", 1), left_out)
    for viewer in (RESPONDER, DEVICE):
        shown = view(story, NAMES, viewer)
        assert ([one["id"] for one in shown["responders"]], shown["coming"]) == (["p-1"], 0)
        assert "p-2" not in str(shown)
    shown = view(story, NAMES, OPERATOR)
    assert [one["id"] for one in shown["responders"]] == ["p-1", "p-2"]
    assert shown["left_out"] == [{"person": "p-2", "name": "人p-2"}]


def test_what_somebody_wrote_who_is_left_out_operators_alone_read() -> None:
    note = CaseNoted(at=at(1), note="n", author="responder:p-2", text="her brother")
    left_out = ResponderLeftOut(at=at(2), responder=PersonId("p-2"), by="op")
    story = case(called(0, "p-1", "p-2"), note, replace(note, author="responder:p-1"), left_out)
    assert [one["author"] for one in view(story, NAMES, RESPONDER)["notes"]] == ["人p-1"]
    assert [one["author"] for one in view(story, NAMES, OPERATOR)["notes"]] == ["人p-2", "人p-1"]


def test_of_a_case_that_is_over_nobody_pauses_anything() -> None:
    paused = EscalationPaused(at=at(1), by="operator:wang", until=at(6))
    shown = view(case(called(0, "p-1"), paused), NAMES, OPERATOR)["escalation"]
    assert (shown["paused_until"], shown["paused_by"]) == (at(6), "wang")
    over = CaseResolved(at=at(2), by="operator:wang", resolution="helped", text="")
    shown = view(case(called(0, "p-1"), paused, over), NAMES, OPERATOR)["escalation"]
    assert (shown["paused_until"], shown["paused_by"]) == (None, None)


def test_a_case_is_attended_to_once_an_operator_has_done_anything_about_it() -> None:
    note = CaseNoted(at=at(1), note="n", author="responder:p-1", text="I see smoke")
    rung = called(0, "p-1", "p-2")
    for deed in (None, note, replied("p-1", "going", 1)):
        assert not view(case(rung, *filter(None, [deed])), NAMES, OPERATOR)["attended"]
    for done in (replace(note, author="operator:wang"), called(1, "p-2", role="asked", of="operator:wang")):
        assert view(case(rung, done), NAMES, OPERATOR)["attended"]
        assert "attended" not in view(case(rung, done), NAMES, RESPONDER)


def test_what_was_missing_at_several_steps_is_said_once() -> None:
    missing = Gap(what="指挥中心 / command centre", reason="no such post")
    story = case(*(replace(called(step, "p-1"), gaps=(missing,)) for step in range(3)))
    assert [gap["what"] for gap in view(story, NAMES, OPERATOR)["gaps"]] == [missing.what]
