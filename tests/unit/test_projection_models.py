"""The rows of the read models, without any database."""

from __future__ import annotations

import random
from pathlib import Path
from typing import cast

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec import structs
from nats.aio.msg import Msg

from dispatch.cases import Case, Command, LeaveOut, SignalDuress, decide, fold
from dispatch.errors import DispatchError
from dispatch.events import Commit, HouseholdStamped
from dispatch.history.past_calls import PastCall, PastResponse, as_events
from dispatch.identifiers import AreaId, CommitId, HouseholdId, PersonId, PressId, Site, case_id_for
from dispatch.projections import Change, all_projections
from dispatch.projections.models import board, calls, latency, reachability, responses, timeline
from dispatch.projections.sql import load
from dispatch.projections.steps import Step, changes
from dispatch.projections.writer import NUL
from tests.projection_stories import after, answered, cancelled, noted, press_on, recorded, resolved, some_commands

SITE = Site("s")

unhurried = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""What is slow here is the machine that runs many things at once."""


def history(commands: list[Command]) -> list[Commit]:
    """The commits that a case makes of `commands`; those that it refuses make none."""
    opening = press_on("h-1")
    case, commits = Case(), []
    for seq, command in enumerate((opening, *commands), start=1):
        try:
            events = decide(case, command)
        except DispatchError:
            continue
        if events:
            case_id = case_id_for(opening.press.household, opening.press.press)
            commits.append(
                Commit(id=CommitId(command.id), case=case_id, events=tuple(events), seq=seq, stored_at=command.at)
            )
            case = fold([commits[-1]], case)
    return commits


def changed(commits: list[Commit], new: int | None = None) -> Change:
    return Change(site=SITE, case=fold(commits), commits=tuple(commits[-new:] if new else commits))


def in_any_order(seed: int, order: random.Random) -> list[Command]:
    commands = [*some_commands(random.Random(seed)), cancelled(40), resolved(41), answered("p-2", "going", 42)]
    order.shuffle(commands)
    return commands


@unhurried
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_board_has_the_status_of_the_case(seed: int, order: random.Random) -> None:
    commits = history(in_any_order(seed, order))
    for end in range(1, len(commits) + 1):
        case = fold(commits[:end])
        [row] = board.rows(changed(commits[:end]))
        assert (row.status, row.is_open, row.seq) == (case.status, case.is_open, commits[end - 1].seq)
        assert row.is_open == (row.closed_at is None)
        assert row.coming + row.on_scene + row.cannot == len(case.replies)
        assert row.reached <= row.called


@unhurried
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_timeline_has_every_event_once_however_commits_are_grouped(seed: int, order: random.Random) -> None:
    commits = history(in_any_order(seed, order))
    cut = order.randrange(len(commits))
    parts = [*timeline.rows(changed(commits[:cut])), *timeline.rows(changed(commits, len(commits) - cut))]
    assert parts == timeline.rows(changed(commits))
    assert len({(row.seq, row.index) for row in parts}) == sum(len(commit.events) for commit in commits)


@unhurried
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_no_read_model_gives_a_row_twice(seed: int, order: random.Random) -> None:
    keys = {
        "board": ("case_id",),
        "latency": ("case_id",),
        "timeline": ("case_id", "seq", "index"),
        "calls": ("case_id", "step", "responder", "channel"),
        "reachability": ("responder", "case_id"),
        "responses": ("case_id", "responder"),
    }
    change = changed(history(in_any_order(seed, order)))
    for projection in all_projections():
        found = [tuple(getattr(row, key) for key in keys[projection.name]) for row in projection.rows(change)]
        assert len(found) == len(set(found)), projection.name


def test_a_commit_touches_only_the_calls_it_is_about() -> None:
    commits = history([recorded("r1", 1, ("p-1", "live", "sent"))])
    assert [(row.responder, row.channel, row.outcome) for row in calls.rows(changed(commits, 1))] == [
        ("p-1", "live", "sent")
    ]
    assert len(calls.rows(changed(commits))) == 6
    replied = calls.rows(changed(history([answered("p-2", "going", 3)]), 1))
    assert {(row.responder, row.channel) for row in replied} == {("p-2", "live"), ("p-2", "webhook")}


@unhurried
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_a_latency_is_given_when_it_is_another_than_before(seed: int, order: random.Random) -> None:
    commits = history(in_any_order(seed, order))
    stored = None
    for end in range(1, len(commits) + 1):
        [whole] = latency.rows(changed(commits[:end]))
        given_now = latency.rows(msgspec.structs.replace(changed(commits[:end], 1), before=fold(commits[: end - 1])))
        assert given_now == ([] if whole == stored else [whole])
        stored = whole


def test_what_a_batch_changed_is_held_against_the_case_as_it_was_before_all_of_it() -> None:
    commits = history([recorded("r1", 1, ("p-1", "live", "sent")), answered("p-2", "going", 3), noted("n", 4, "later")])
    folded = [fold(commits[:end]) for end in range(len(commits) + 1)]
    steps = [
        Step(
            message=cast("Msg", None),
            seq=commit.seq,
            commit_id=commit.id,
            stored_at=commit.stored_at,
            before=folded[place],
            after=(commit, folded[place + 1]),
        )
        for place, commit in enumerate(commits)
    ]
    [change] = changes(SITE, steps[2:])
    assert (change.before, change.case, change.commits) == (folded[2], folded[4], tuple(commits[2:]))
    assert [row.going_at for row in latency.rows(change)] == [folded[4].firsts.going]
    assert latency.rows(changes(SITE, steps[3:])[0]) == []


def test_a_cancelled_case_was_not_resolved() -> None:
    [row] = latency.rows(changed(history([cancelled(9)])))
    assert (row.resolved_at, row.cancelled_at) == (None, after(9))


def test_the_board_says_that_somebody_is_under_duress() -> None:
    signal: Command = SignalDuress(id=CommitId("duress"), at=after(9), by="device:h-1")
    assert not board.board_row(SITE, fold(history([]))).duress
    assert board.board_row(SITE, fold(history([signal]))).duress


def test_the_board_says_so_of_a_case_beside_one_under_duress() -> None:
    [commit] = history([])
    stamped = HouseholdStamped(at=after(0), beside=case_id_for(HouseholdId("h-1"), PressId("earlier")))
    beside = structs.replace(commit, events=(*commit.events, stamped))
    assert board.board_row(SITE, fold([beside])).duress


def test_who_was_left_out_counts_for_no_step_and_is_marked() -> None:
    left_out = LeaveOut(id=CommitId("out"), at=after(50), people=(PersonId("p-1"),), by="operator:li")
    story: list[Command] = [
        recorded("r1", 1, ("p-1", "live", "delivered")),
        recorded("r2", 2, ("p-2", "live", "delivered")),
        answered("p-1", "on_scene", 5),
        answered("p-2", "going", 30),
    ]
    [before] = latency.rows(changed(history(story)))
    assert (before.called_at, before.answered_at, before.on_scene_at) == (after(1), after(5), after(5))
    commits = history([*story, left_out])
    [row] = latency.rows(changed(commits))
    assert (row.called_at, row.answered_at, row.on_scene_at) == (after(2), after(30), None)
    assert [(one.responder, one.left_out) for one in responses.rows(changed(commits, 1))] == [("p-1", True)]


def test_a_response_says_as_what_and_of_which_group_they_were_called_and_what_they_answered_last() -> None:
    story: list[Command] = [answered("p-1", "going", 5), answered("p-1", "cannot", 9)]
    [row] = responses.rows(changed(history(story), 1))
    assert (row.role, row.group_id, row.answer, row.answered_at) == ("member", "g-1", "cannot", after(5))


def test_somebody_is_proven_to_be_reached_by_a_phone_or_an_answer_and_not_by_what_a_provider_took() -> None:
    story: list[Command] = [
        recorded("r1", 1, ("p-1", "live", "delivered"), ("p-2", "live", "sent")),
        recorded("r2", 4, ("p-1", "webhook", "seen")),
        answered("p-3", "cannot", 3),
    ]
    found = reachability.rows(changed(history(story)))
    assert [(row.responder, row.proven_at) for row in found] == [("p-1", after(4)), ("p-3", after(3))]


def test_what_an_older_system_says_proves_nobody_to_be_reached() -> None:
    unit = PastResponse(responder=PersonId("p-1"), called_at=after(1), en_route_at=after(20))
    call = PastCall(call="1", kind="fire", area=AreaId("a-1"), raised_at=after(0), responses=(unit,))
    commit = Commit(id=call.commit, case=call.case, events=as_events(call, (call.area,)), seq=1, stored_at=after(0))
    assert [row.responder for row in responses.rows(changed([commit]))] == ["p-1"]
    assert reachability.rows(changed([commit])) == []


def test_the_nearest_eta_is_of_somebody_who_is_still_coming() -> None:
    replies: list[Command] = [answered("p-1", "going", 1, eta=2), answered("p-2", "going", 1, eta=9)]
    assert fold(history(replies)).nearest_eta_at == after(1 + 120)
    for answer in ("cannot", "on_scene"):
        assert fold(history([*replies, answered("p-1", answer, 3, eta=1)])).nearest_eta_at == after(1 + 540)


def test_the_event_keeps_everything_but_its_version_and_its_time_apart() -> None:
    row = timeline.rows(changed(history([noted("n", 5, "门锁着")])))[-1]
    assert (row.type, row.at, row.data) == (
        "case_noted",
        after(5),
        {"note": "n", "author": "operator:li", "text": "门锁着"},
    )


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\\\x00", "\\\\\x00\x00"])
def test_a_nul_becomes_a_mark(text: str) -> None:
    body = NUL.sub(rb"\1\\ufffd", msgspec.json.encode([text]))
    assert msgspec.json.decode(body) == [text.replace("\x00", "\ufffd")]


def test_what_only_looks_like_a_nul_stays() -> None:
    body = msgspec.json.encode(["\\u0000"])
    assert NUL.sub(rb"\1\\ufffd", body) == body


class _Two(msgspec.Struct):
    one: str
    two: str


def test_what_queries_have_in_common_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    common = "-- part: mine\nsite = $1\n"
    path.write_text(f"{common}-- name: one\nselect -- here: mine\nlimit 1\n-- name: two\nselect 2\n")
    assert load(path, _Two) == _Two(one="select site = $1\nlimit 1", two="select 2")
    path.write_text("-- name: one\nselect -- here: mine\n-- name: two\nselect 2\n")
    with pytest.raises(KeyError, match="mine"):
        load(path, _Two)


def test_a_part_may_hold_another_and_give_way_to_another(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    parts = "-- part: all\ntrue\n-- part: few\nfalse\n-- part: mine\nsite = $1 and -- here: all\n"
    path.write_text(f"{parts}-- name: one\nselect -- here: mine\n-- name: two\nselect -- here: all\n")
    assert load(path, _Two) == _Two(one="select site = $1 and true", two="select true")
    assert load(path, _Two, all="few") == _Two(one="select site = $1 and false", two="select false")
    with pytest.raises(KeyError, match="none"):
        load(path, _Two, all="none")


def test_a_file_of_queries_must_hold_exactly_those_expected(tmp_path: Path) -> None:
    path = tmp_path / "some.sql"
    path.write_text("-- name: one\nselect 1\n\n-- name: two\nselect 2\n")
    assert load(path, _Two) == _Two(one="select 1", two="select 2")
    path.write_text("-- name: one\nselect 1\n")
    with pytest.raises(ValueError, match=r"some\.sql"):
        load(path, _Two)
    path.write_text("-- name: one\nselect 1\n-- name: one\nselect 3\n-- name: two\nselect 2\n")
    with pytest.raises(ValueError, match=r"some\.sql"):
        load(path, _Two)
