"""The account afterwards: what was accepted and owed, and what came of it, from the log and from the phones alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatch.cases import Case
from dispatch.identifiers import CaseId, HouseholdId, PersonId

RANG = frozenset({"sent", "delivered", "seen"})


@dataclass(frozen=True)
class Account:
    """The figures of one run; `str` is the line that is printed last."""

    kills: int
    presses_accepted: int
    presses_lost: int
    calls_owed: int
    calls_lost: int
    extra_rings: int
    faults: tuple[str, ...]
    """What must not be, in words: each press and call that was lost, each ring beyond what a crash excuses."""

    def __str__(self) -> str:
        return (
            f"kills={self.kills} presses_accepted={self.presses_accepted} presses_lost={self.presses_lost} "
            f"calls_owed={self.calls_owed} calls_lost={self.calls_lost} extra_rings={self.extra_rings}"
        )


def account(
    *,
    kills: int,
    accepted: Mapping[str, HouseholdId],
    cases: Sequence[Case],
    rung: Mapping[tuple[PersonId, CaseId], int],
    crashes: int,
    board: Mapping[CaseId, tuple[str, int]],
) -> Account:
    """The account of `cases`, of presses that were `accepted`, and of what each phone `rung` for each case.

    `board` is what the read model says of each case: its status and presses.

    A webhook's call that is said to have been sent rang at least once for each time it was planned. What rang more is
    extra: at most one for each of the `crashes`.
    """
    lost_presses = [press for press, home in accepted.items() if not _has(cases, home, press)]
    owed = [(case, call, channel) for case in cases for call in case.calls.values() for channel in call.channels]
    unknown = [f"{case.id} {call.responder} {channel}" for case, call, channel in owed if channel in call.owed()]
    sent = Counter(
        (call.responder, case.id)
        for case, call, channel in owed
        if channel == "webhook" and (known := call.outcomes.get(channel)) is not None and known.outcome in RANG
    )
    silent = [
        f"{case} {person}: said to be sent, never rang" for (person, case) in sent if not rung.get((person, case))
    ]
    planned = Counter((call.responder, case.id) for case, call, channel in owed if channel == "webhook")
    extra = {key: count - planned[key] for key, count in rung.items() if count > planned[key]}
    too_many = [f"{case} {person}: {more} extra" for (person, case), more in extra.items() if more > crashes]
    strangers = [f"{case} {person}: rang and was never called" for (person, case) in rung if not planned[person, case]]
    wrong = [case.id for case in cases if board.get(case.id) != (case.status, len(case.presses))]
    return Account(
        kills=kills,
        presses_accepted=len(accepted),
        presses_lost=len(lost_presses),
        calls_owed=len(owed),
        calls_lost=len(unknown) + len(silent),
        extra_rings=sum(extra.values()),
        faults=(
            *_said("press lost", lost_presses),
            *_said("no outcome", unknown),
            *_said("never rang", silent),
            *_said("too many rings", too_many),
            *_said("a stranger's phone rang", strangers),
            *_said("the board says otherwise", wrong),
        ),
    )


def _has(cases: Iterable[Case], home: HouseholdId, press: str) -> bool:
    return any(case.alarm.household == home and press in case.heard for case in cases)


def _said(what: str, which: Iterable[str]) -> Iterable[str]:
    return (f"{what}: {one}" for one in which)
