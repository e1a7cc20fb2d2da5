"""The account afterwards: what was accepted and owed, and what came of it, from the log and from the phones alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from dispatch.cases import Case
from dispatch.identifiers import CaseId, HouseholdId, PersonId

RANG = frozenset({"sent", "delivered", "seen"})
Ring = tuple[PersonId, CaseId, int]
"""Who rang for which case in which step: each is wanted once."""
ON_ITS_WAY_SECONDS = 2.0
"""So long a ring may be on its way before it is stamped here: on a busy machine it outlives who sent it."""


@dataclass
class Crash:
    """A kill or a cut, from `at` until the whole system answered again (`over`), in monotonic seconds."""

    at: float
    over: float = inf


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
    rung: Mapping[Ring, Sequence[float]],
    crashes: Sequence[Crash],
    board: Mapping[CaseId, tuple[str, int]],
) -> Account:
    """The account of `cases`, of presses that were `accepted`, and of when each phone has `rung`.

    `crashes` are all kills and cuts, on the clock of the rings. `board` is what the read model says of each case: its
    status and presses.

    A webhook's call that is said to have been sent rang at least once. What rang more is extra, and needs a crash of
    its own, not over when the ring before it came: one crash excuses one ring more of a step on one phone.
    """
    lost_presses = [press for press, home in accepted.items() if not _has(cases, home, press)]
    owed = [(case, call, channel) for case in cases for call in case.calls.values() for channel in call.channels]
    unknown = [f"{case.id} {call.responder} {channel}" for case, call, channel in owed if channel in call.owed()]
    planned = {(call.responder, case.id, call.step): call for case, call, channel in owed if channel == "webhook"}
    silent = [
        f"{_named(ring)}: said to be sent, never rang"
        for ring, call in planned.items()
        if (known := call.outcomes.get("webhook")) is not None and known.outcome in RANG and not rung.get(ring)
    ]
    too_many = [
        f"{_named(ring)}: {unexcused} of {len(times)} without a crash"
        for ring, times in rung.items()
        if (unexcused := _unexcused(times, crashes))
    ]
    strangers = [f"{_named(ring)}: rang and was never called" for ring in rung if ring not in planned]
    wrong = [case.id for case in cases if board.get(case.id) != (case.status, len(case.presses))]
    return Account(
        kills=kills,
        presses_accepted=len(accepted),
        presses_lost=len(lost_presses),
        calls_owed=len(owed),
        calls_lost=len(unknown) + len(silent),
        extra_rings=sum(len(times) - 1 for times in rung.values()),
        faults=(
            *_said("press lost", lost_presses),
            *_said("no outcome", unknown),
            *_said("never rang", silent),
            *_said("too many rings", too_many),
            *_said("a stranger's phone rang", strangers),
            *_said("the board says otherwise", wrong),
        ),
    )


def _unexcused(times: Sequence[float], crashes: Sequence[Crash]) -> int:
    """How many rings after the first have no crash of their own between the ring before and themselves."""
    left = sorted(crashes, key=lambda crash: crash.over)
    unexcused = 0
    for before, again in pairwise(sorted(times)):
        excuse = next((c for c in left if c.over >= before - ON_ITS_WAY_SECONDS and c.at <= again), None)
        if excuse is None:
            unexcused += 1
        else:
            left.remove(excuse)
    return unexcused


def _named(ring: Ring) -> str:
    person, case, step = ring
    return f"{case} {person} in step {step}"


def _has(cases: Iterable[Case], home: HouseholdId, press: str) -> bool:
    return any(case.alarm.household == home and press in case.heard for case in cases)


def _said(what: str, which: Iterable[str]) -> Iterable[str]:
    return (f"{what}: {one}" for one in which)
