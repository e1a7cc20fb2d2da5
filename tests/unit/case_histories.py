"""Histories of a case, in which anything is asked of it in any order, and what its log says of each person."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.cases import (
    CallOne,
    Cancel,
    Case,
    Command,
    FallBack,
    GiveAnswer,
    HandOver,
    Hold,
    LeaveOut,
    Pause,
    Plan,
    RaiseAlarm,
    RecordCalls,
    Resume,
    SignalDuress,
    StandDown,
    TakeStep,
    Widen,
    decide,
    fold,
    waits_for,
)
from dispatch.errors import Refused
from dispatch.events import (
    CallOutcome,
    CallsRecorded,
    Channel,
    Commit,
    FellBack,
    PlannedCall,
    Press,
    ResponderLeftOut,
    ResponderReplied,
    RespondersCalled,
    RespondersStoodDown,
)
from dispatch.identifiers import CommitId, PersonId, PressId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    CASE,
    FIRST,
    HOUSEHOLD,
    LI,
    NEXT,
    POLICY,
    WANG,
    answer,
    at,
    call,
    duress,
    press,
)

CENTRE = PersonId("c-110")
TO_110 = call(CENTRE, "emergency_centre")
SLOWEST = timedelta(minutes=60)
"""The longest time to arrival that is said here."""


class Due(msgspec.Struct, frozen=True):
    """The step that is due by then is taken: what the fan-out does when the timer fires."""

    id: CommitId
    plan: Plan


Asked = Command | Due


def due(plan: Plan) -> Due:
    return Due(CommitId(f"due-{len(plan.calls)}"), plan)


def then(planned: PlannedCall) -> PlannedCall:
    """With channels that follow."""
    return replace(planned, then=("sms", "apprise"))


ALL = Plan(
    group=FIRST.group,
    areas=FIRST.areas,
    calls=(then(call(ANNA)), then(call(BO)), then(call(LI, "auxiliary_officer"))),
    policy=POLICY,
)
AID = replace(NEXT, calls=(*(then(one) for one in NEXT.calls), TO_110))
NOBODY = Plan(group=None, areas=(), calls=())

moments = st.integers(0, 2000).map(lambda s: at(float(s)))
ids = st.integers(0, 10**9).map(lambda n: CommitId(f"c{n}"))
people = st.sampled_from([ANNA, BO, LI, WANG, CENTRE])
some = st.lists(people, max_size=3).map(tuple)
channels: st.SearchStrategy[Channel] = st.sampled_from(["live", "webhook", "sms", "apprise"])
plans = st.sampled_from([FIRST, NEXT, ALL, AID, NOBODY])
presses = st.builds(
    Press,
    press=st.integers(1, 3).map(lambda n: PressId(f"p{n}")),
    household=st.just(HOUSEHOLD),
    device=st.just("key"),
    source=st.just("http"),
    pressed_at=moments,
    kind=st.sampled_from(["help", "fire"]),
    silent=st.booleans(),
)
outcomes = st.builds(
    CallOutcome, step=st.integers(0, 3), responder=people, channel=channels, at=moments,
    outcome=st.sampled_from(["unknown", "failed", "failed", "sent", "delivered", "seen"]),
)  # fmt: skip
by_hand: st.SearchStrategy[Command] = st.one_of(
    st.builds(RaiseAlarm, id=ids, at=moments, accepted_at=moments, plan=plans, press=presses),
    st.builds(CallOne, id=ids, at=moments, by=st.just("op"), call=people.map(lambda who: then(call(who)))),
    st.builds(HandOver, id=ids, at=moments, by=st.just("op"), calls=st.just((TO_110,)), again=st.booleans()),
)
anything: st.SearchStrategy[Asked] = st.one_of(
    by_hand,
    st.builds(RecordCalls, id=ids, at=moments, outcomes=st.lists(outcomes, max_size=4).map(tuple)),
    st.builds(
        GiveAnswer, id=ids, at=moments, responder=people, answer=st.sampled_from(["going", "cannot", "on_scene"]),
        via=st.just("page"), eta_minutes=st.none() | st.integers(0, 60),
    ),
    st.builds(Due, id=ids, plan=plans),
    st.builds(TakeStep, id=ids, at=moments, position=st.integers(0, 5), plan=plans, because=st.just("no_answer")),
    st.builds(FallBack, id=ids, at=moments),
    st.builds(Widen, id=ids, at=moments, by=st.just("op")),
    st.builds(StandDown, id=ids, at=moments, by=st.just("op"), responders=some, rest=st.booleans()),
    st.builds(Pause, id=ids, at=moments, by=st.just("op"), until=moments),
    st.builds(Resume, id=ids, at=moments, by=st.just("op")),
    st.builds(Hold, id=ids, at=moments, until=moments),
    st.builds(Cancel, id=ids, at=moments, by=st.sampled_from(["op", f"device:{HOUSEHOLD}"])),
    st.builds(SignalDuress, id=ids, at=moments, by=st.just(f"device:{HOUSEHOLD}")),
    st.builds(LeaveOut, id=ids, at=moments, by=st.just("op"), people=some),
)  # fmt: skip
BEGINNINGS: dict[str, list[Asked]] = {
    "not begun": [],
    "called": [press(plan=ALL)],
    "on scene, too few": [press(plan=ALL), answer(ANNA, "on_scene", 20)],
    "on scene, all steps": [press(plan=ALL), answer(ANNA, "on_scene", 20), due(AID), due(NEXT)],
    "on scene, paused": [
        press(plan=ALL), answer(ANNA, "on_scene", 20), Pause(id=CommitId("hold"), at=at(21), by="op", until=at(600)),
    ],
    "resumed": [
        press(plan=ALL), Pause(id=CommitId("hold"), at=at(10), by="op", until=at(600)),
        Resume(id=CommitId("on"), at=at(300), by="op"),
    ],
    "enough": [press(plan=ALL), answer(ANNA, "going", 5), answer(LI, "going", 6)],
    "late": [press(plan=ALL), answer(ANNA, "going", 5), answer(LI, "going", 6), due(AID)],
    "given up": [
        press(plan=ALL), due(AID), answer(ANNA, "going", 50), answer(LI, "going", 51), answer(ANNA, "cannot", 60),
    ],
    "let go by name": [press(plan=ALL), StandDown(id=CommitId("go"), at=at(9), by="op", responders=(BO,))],
    "handed over": [press(plan=ALL), HandOver(id=CommitId("110"), at=at(9), by="op", calls=(TO_110,))],
    "duress": [press(plan=ALL), answer(ANNA, "going", 5), duress(10), due(AID)],
}  # fmt: skip
histories = st.tuples(st.sampled_from(list(BEGINNINGS.values())), st.lists(anything, max_size=12)).map(
    lambda parts: [*parts[0], *parts[1]]
)


def command_of(case: Case, asked: Asked) -> Command | None:
    if not isinstance(asked, Due):
        return asked
    wait = waits_for(case)
    if wait is None or wait.until is None:
        return None
    position = case.position + 1
    return TakeStep(id=asked.id, at=wait.until, position=position, plan=asked.plan, because=wait.because)


def log_of(history: list[Asked]) -> tuple[Case, list[Commit]]:
    """The case after `history`, refused commands left out, and its log."""
    case, log = Case(), list[Commit]()
    for asked in history:
        with contextlib.suppress(Refused):
            command = command_of(case, asked)
            events = decide(case, command) if command is not None else []
            if command is not None and events:
                log.append(
                    Commit(id=command.id, case=CASE, events=tuple(events), seq=len(log) + 1, stored_at=command.at)
                )
                case = fold([log[-1]], case)
    return case, log


def after(history: list[Asked]) -> Case:
    return log_of(history)[0]


class Told(msgspec.Struct):
    """What the log says of one person: read here once more, apart from the fold that is tested."""

    call: tuple[int, PersonId] | None = None
    rings: list[Channel] = msgspec.field(default_factory=list)
    """Over which channels their newest call is to ring, which follow, and whether any arrived."""
    follow: list[Channel] = msgspec.field(default_factory=list)
    reached: bool = False
    silent_because: str = ""
    answered: str = ""


def told(log: list[Commit]) -> dict[PersonId, Told]:
    known: dict[PersonId, Told] = {}
    for event in (event for commit in log for event in commit.events):
        if isinstance(event, RespondersCalled):
            for one in event.calls:
                answered = known.get(one.responder, Told()).answered
                key = (event.step, one.responder)
                known[one.responder] = Told(key, [*one.channels], [*one.then], answered=answered)
        elif isinstance(event, FellBack | CallsRecorded):
            hear_of_rings(known, event)
        elif isinstance(event, ResponderReplied):
            known[event.responder].silent_because = known[event.responder].answered = event.answer
        elif isinstance(event, RespondersStoodDown):
            for person in event.responders:
                known[person].silent_because = "by name" if event.by_name else "stood down"
        elif isinstance(event, ResponderLeftOut):
            known[event.responder] = Told(silent_because="left out")
    return known


def hear_of_rings(known: dict[PersonId, Told], event: FellBack | CallsRecorded) -> None:
    if isinstance(event, FellBack):
        for following in event.calls:
            known[following.responder].rings.append(following.channel)
            known[following.responder].follow.remove(following.channel)
        return
    for outcome in event.outcomes:
        if known[outcome.responder].call == (outcome.step, outcome.responder):
            known[outcome.responder].reached |= outcome.outcome in {"delivered", "seen"}
