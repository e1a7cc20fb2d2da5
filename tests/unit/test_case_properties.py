"""Whatever is asked of a case, in whatever order: what must always hold."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.cases import OUTCOME_RANK, Case, decide, fold
from dispatch.cases.commands import AddNote, Cancel, Command, GiveAnswer, Plan, RaiseAlarm, RecordCalls, Resolve
from dispatch.errors import Refused
from dispatch.events import CallOutcome, Commit, PlannedCall, Press, Reason
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId, PersonId, PressId, case_id_for

HOUSEHOLD = HouseholdId("h-1")
CASE = case_id_for(HOUSEHOLD, PressId("p0"))
PEOPLE = [PersonId(f"p{n}") for n in range(4)]
PLAN = Plan(
    group=GroupId("g"),
    areas=(AreaId("v"),),
    calls=tuple(
        PlannedCall(responder=p, reasons=(Reason("member", "g"),), channels=("live", "webhook")) for p in PEOPLE[:3]
    ),
)

times = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
ids = st.integers(0, 10**9).map(lambda n: CommitId(f"c{n}"))
presses = st.builds(
    Press,
    press=st.integers(1, 5).map(lambda n: PressId(f"p{n}")),
    household=st.just(HOUSEHOLD),
    device=st.just("key"),
    source=st.just("http"),
    pressed_at=times,
)
outcomes = st.builds(
    CallOutcome,
    step=st.integers(0, 1),
    responder=st.sampled_from(PEOPLE),
    channel=st.sampled_from(["live", "webhook", "webpush"]),
    outcome=st.sampled_from(list(OUTCOME_RANK)),
    at=times,
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(RaiseAlarm, id=ids, at=times, accepted_at=times, press=presses, plan=st.just(PLAN)),
    st.builds(RecordCalls, id=ids, at=times, outcomes=st.lists(outcomes, max_size=4).map(tuple)),
    st.builds(
        GiveAnswer,
        id=ids,
        at=times,
        responder=st.sampled_from(PEOPLE),
        answer=st.sampled_from(["going", "cannot", "on_scene"]),
        via=st.just("page"),
        eta_minutes=st.none() | st.integers(0, 60),
    ),
    st.builds(AddNote, id=ids, at=times, author=st.just("op"), text=st.text(max_size=5)),
    st.builds(Resolve, id=ids, at=times, by=st.just("op"), resolution=st.just("helped")),
    st.builds(Cancel, id=ids, at=times, by=st.just("op")),
)


def run(asked: list[Command]) -> tuple[Case, list[Commit]]:
    """Carry `asked` out as the desk does, refused commands left out."""
    case = Case()
    commits: list[Commit] = []
    for command in asked:
        with contextlib.suppress(Refused):
            if events := decide(case, command):
                commit = Commit(
                    id=command.id, case=CASE, events=tuple(events), seq=len(commits) + 1, stored_at=command.at
                )
                commits.append(commit)
                case = fold([commit], case)
    return case, commits


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=25))
def test_every_promise_of_the_decider(asked: list[Command]) -> None:
    case, commits = run(asked)
    assert fold(commits) == case, "folding the log from the start gives the same case"
    assert fold(commits, case) == case, "commits seen before change nothing"
    assert fold(commits, fold(commits[: len(commits) // 2])) == case, "a stale case plus the rest is the same case"
    if case.raised is not None:
        assert set(case.called()) <= {call.responder for call in PLAN.calls}
        assert set(case.replies) <= case.called(), "only those who were called have answered"
        assert set(case.presses) == case.heard.keys()
    else:
        assert commits == []


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=25), commands)
def test_a_command_carried_out_twice_is_carried_out_once(asked: list[Command], command: Command) -> None:
    case, _ = run([*asked, command])
    again, _ = run([*asked, command, command])
    assert again == case


@settings(max_examples=150, deadline=None)
@given(st.lists(commands, max_size=25), st.lists(commands, max_size=10))
def test_outcomes_only_get_better_and_an_end_is_an_end(first: list[Command], then: list[Command]) -> None:
    before, _ = run(first)
    later, _ = run([*first, *then])
    for key, call in before.calls.items():
        for channel, known in call.outcomes.items():
            assert OUTCOME_RANK[later.calls[key].outcomes[channel].outcome] >= OUTCOME_RANK[known.outcome]
    if before.closing is not None:
        assert later.closing == before.closing
        assert later.replies == before.replies
