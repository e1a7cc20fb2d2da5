"""A case folded at once is the case folded event by event, whatever happened and however it was stored."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.cases import Case, evolve, fold, fold_whole
from dispatch.events import (
    AlarmRaised,
    CallOutcome,
    CallsRecorded,
    CaseCancelled,
    CaseNoted,
    CaseResolved,
    Commit,
    DuressSignalled,
    Escalated,
    EscalationPaused,
    Event,
    FellBack,
    Gap,
    HandedOver,
    NextCall,
    PlannedCall,
    PressedAgain,
    Reason,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
    WideningAsked,
)
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PersonId, PressId
from tests.projection_stories import after

CASE = CaseId("h-1-AAAAAAAA")
PEOPLE = [PersonId(f"p{n}") for n in range(3)]

people = st.sampled_from(PEOPLE)
times = st.integers(0, 500).map(after)
channels = st.sampled_from(["live", "webhook", "sms"])
by = st.sampled_from(["operator:li", "device:h-1", "device:h-2"])
calls = st.lists(
    st.builds(
        PlannedCall,
        responder=people,
        reasons=st.just((Reason("member", "g"),)),
        channels=st.just(("live",)),
        then=st.just(("sms",)),
    ),
    max_size=3,
).map(tuple)
outcomes = st.lists(
    st.builds(
        CallOutcome,
        step=st.integers(0, 1),
        responder=people,
        channel=channels,
        outcome=st.sampled_from(["unknown", "failed", "sent", "delivered", "seen"]),
        at=times,
    ),
    max_size=4,
).map(tuple)
recorded = st.builds(CallsRecorded, at=times, outcomes=outcomes)
replied = st.builds(
    ResponderReplied,
    at=times,
    reply=st.integers(0, 5).map(str),
    responder=people,
    answer=st.sampled_from(["going", "cannot", "on_scene"]),
    via=st.just("page"),
    eta_minutes=st.none() | st.integers(0, 9),
)
others: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        PressedAgain,
        at=times,
        press=st.sampled_from([PressId("p0"), PressId("p1")]),
        device=st.just("key"),
        kind=st.sampled_from(["help", "fire"]),
        source=st.just("http"),
        pressed_at=times,
        accepted_at=times,
        silent=st.booleans(),
    ),
    st.builds(
        RespondersCalled, at=times, step=st.integers(0, 1), calls=calls, gaps=st.just((Gap(what="w", reason="r"),))
    ),
    st.builds(
        FellBack,
        at=times,
        calls=st.builds(
            NextCall, step=st.integers(0, 1), responder=people, channel=channels, because=st.just("failed")
        ).map(lambda call: (call,)),
    ),
    st.builds(RespondersStoodDown, at=times, responders=st.lists(people).map(tuple), by=by),
    st.builds(ResponderLeftOut, at=times, responder=people, by=by),
    st.builds(Escalated, at=times, position=st.integers(0, 3), because=st.sampled_from(["duress", "late"]), by=by),
    st.builds(WideningAsked, at=times, by=by),
    st.builds(EscalationPaused, at=times, by=by, until=times),
    st.builds(HandedOver, at=times, by=by, to=st.just(())),
    st.builds(CaseNoted, at=times, note=st.just("n"), author=by, text=st.text(max_size=3)),
    st.builds(CaseResolved, at=times, by=by, resolution=st.just("helped")),
    st.builds(CaseCancelled, at=times, by=by),
    st.builds(DuressSignalled, at=times, by=by),
)
opening = AlarmRaised(
    at=after(0),
    case=CASE,
    household=HouseholdId("h-1"),
    press=PressId("p0"),
    device="key",
    kind="help",
    source="http",
    pressed_at=after(0),
    accepted_at=after(0),
)
first_calls = RespondersCalled(
    at=after(1),
    step=0,
    calls=tuple(
        PlannedCall(responder=person, reasons=(), channels=("live", "webhook"), then=("sms",)) for person in PEOPLE
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(recorded, replied, others), max_size=30), st.randoms(use_true_random=False))
def test_folded_at_once_is_folded_one_by_one(happened: list[Event], chance: random.Random) -> None:
    commits = stored([opening, first_calls, *happened], chance)
    one_by_one = fold(commits)
    at_once = fold_whole(commits)
    assert at_once == one_by_one
    assert list(at_once.replies) == list(one_by_one.replies), "in the same order, too"
    assert [list(call.outcomes) for call in at_once.calls.values()] == [
        list(call.outcomes) for call in one_by_one.calls.values()
    ]
    for event in (CallsRecorded(at=after(9), outcomes=()), CaseNoted(at=after(9), note="n", author="a", text="t")):
        assert evolve(at_once, event) == evolve(one_by_one, event)


def stored(events: list[Event], chance: random.Random) -> list[Commit]:
    """`events` in commits of one to three, some of them twice, as a reader that begins anew may see them."""
    commits: list[Commit] = []
    while events:
        size = chance.randint(1, 3)
        taken, events = tuple(events[:size]), events[size:]
        seq = 3 * len(commits) + 1
        commit = Commit(id=CommitId(f"c{seq}"), case=CASE, events=taken, seq=seq, stored_at=after(0))
        commits += [commit] * chance.choice([1, 1, 2])
    return commits


def test_nothing_is_a_case_that_has_not_begun() -> None:
    assert fold_whole([]) == Case()
