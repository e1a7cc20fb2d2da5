"""What came of a drill, from the log of its cases: right while it runs, and ever after. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile

import msgspec

from dispatch.cases import REAL_ALARM, Call, Case, fold
from dispatch.drills.book import Drill
from dispatch.events import (
    Answer,
    CallsRecorded,
    Channel,
    Commit,
    DuressSignalled,
    Event,
    Outcome,
    Reason,
    ResponderReplied,
)
from dispatch.identifiers import CaseId, GroupId, HouseholdId, PersonId

NO_CASE = "没有开始：未收到、有真实警情，或时间已过 / not begun: not received, a real case was open, or it was too late"
ENDED = "被真实警情中断 / ended by a real alarm"
NO_POINT = (
    "没有推送、短信等联系方式（仅有电话号码或打开的页面不算） / "
    "no push, text message or other contact point (a telephone number alone or an open page is not counted)"
)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the calls over one channel; seconds are from the first call of that person."""

    channel: Channel
    outcome: Outcome | None
    seconds: float | None = None
    reason: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One person called for one household. Seconds are from their first call; None: not (yet)."""

    household: HouseholdId
    group: GroupId | None
    case: CaseId
    responder: PersonId
    reasons: tuple[Reason, ...]
    called_at: datetime
    tried: tuple[Tried, ...]
    delivered_seconds: float | None
    seen_seconds: float | None
    answered_seconds: float | None
    answer: Answer | None
    stood_down: bool

    @property
    def reached(self) -> bool:
        """Whether the phone said so, or they did. What a provider took without a receipt proves nothing."""
        return self.delivered_seconds is not None or self.answered_seconds is not None

    @property
    def why(self) -> str:
        """Why they did not answer, in Chinese and English; empty for those who did."""
        if self.answer is not None:
            return ""
        if self.reached:
            return "已送达，未应答 / reached, no answer" + ("，已解除 / stood down" if self.stood_down else "")
        if any(one.outcome in {None, "unknown"} for one in self.tried):
            return "正在呼叫 / being called"
        failed = "; ".join(f"{one.channel}: {one.reason or 'failed'}" for one in self.tried if one.outcome == "failed")
        if any(one.outcome == "sent" for one in self.tried):
            return f"已发出，无送达回执 / handed over, no receipt{f' ({failed})' if failed else ''}"
        return failed or NO_POINT


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of a drill, households that did not begin, and posts and people that were missing."""

    drill: Drill
    lines: tuple[Line, ...]
    missing: tuple[tuple[str, str], ...]
    open_cases: int

    @property
    def called(self) -> int:
        return len(self.lines)

    @property
    def reached(self) -> int:
        return sum(line.reached for line in self.lines)

    @property
    def answered(self) -> int:
        return sum(line.answer is not None for line in self.lines)


def report_of(drill: Drill, logs: Mapping[HouseholdId, Sequence[Commit]]) -> Report:
    """The report of `drill`, of the commits of each household's case (none: it has no case)."""
    lines: list[Line] = []
    missing = [(gap.what, gap.reason) for gap in drill.left_out]
    running = 0
    for household in drill.households:
        written = [commit for commit in logs.get(household, ()) if commit.events]
        commits = list(takewhile(_is_of_the_drill, written))
        case = fold(commits)
        if case.raised is None:
            missing.append((f"household {household}", NO_CASE))
            continue
        running += case.is_open and len(commits) == len(written)
        lines += _lines(case, household, _firsts(commits))
        missing += [(gap.what, gap.reason) for gap in case.gaps]
        if len(commits) < len(written) or (case.closing is not None and case.closing.text == REAL_ALARM):
            missing.append((f"household {household}", ENDED))
    return Report(drill=drill, lines=tuple(lines), missing=tuple(dict.fromkeys(missing)), open_cases=running)


def _is_of_the_drill(commit: Commit) -> bool:
    """Whether it was but a drill still: with a duress it becomes real."""
    return not any(isinstance(event, DuressSignalled) for event in commit.events)


Firsts = dict[tuple[PersonId, str], datetime]
"""When each person was first delivered, seen, answered."""


def _firsts(commits: Sequence[Commit]) -> Firsts:
    found: Firsts = {}
    for event in (event for commit in commits for event in commit.events):
        for person, what, at in _happened(event):
            found[person, what] = min(at, found.get((person, what), at))
    return found


def _happened(event: Event) -> list[tuple[PersonId, str, datetime]]:
    """What `event` says of people: who was delivered, seen, answered, and when. Whoever saw it had it delivered."""
    if isinstance(event, ResponderReplied):
        return [(event.responder, "answered", event.at)]
    outcomes = event.outcomes if isinstance(event, CallsRecorded) else ()
    told = {"delivered": ("delivered",), "seen": ("delivered", "seen")}
    return [(one.responder, what, one.at) for one in outcomes for what in told.get(one.outcome, ())]


def _lines(case: Case, household: HouseholdId, firsts: Firsts) -> list[Line]:
    calls: dict[PersonId, list[Call]] = {}
    for key in sorted(case.calls):
        calls.setdefault(key[1], []).append(case.calls[key])
    return [_line(case, household, person, of, firsts) for person, of in calls.items()]


def _line(case: Case, household: HouseholdId, person: PersonId, calls: Sequence[Call], firsts: Firsts) -> Line:
    called_at = calls[0].called_at

    def seconds(what: str) -> float | None:
        at = firsts.get((person, what))
        return None if at is None else max(0.0, (at - called_at).total_seconds())

    reply = case.replies.get(person)
    return Line(
        household=household,
        group=case.alarm.group,
        case=case.id,
        responder=person,
        reasons=calls[0].reasons,
        called_at=called_at,
        tried=tuple(_tried(calls, called_at)),
        delivered_seconds=seconds("delivered"),
        seen_seconds=seconds("seen"),
        answered_seconds=seconds("answered"),
        answer=reply.answer if reply else None,
        stood_down=person in case.stood_down,
    )


def _tried(calls: Sequence[Call], called_at: datetime) -> list[Tried]:
    """Each channel with the best that came of it in any step."""
    best: dict[Channel, Tried] = {}
    for call in calls:
        for channel in call.channels:
            known = call.outcomes.get(channel)
            tried = Tried(channel=channel, outcome=None)
            if known is not None:
                after = max(0.0, (known.at - called_at).total_seconds())
                tried = Tried(channel=channel, outcome=known.outcome, seconds=after, reason=known.reason)
            before = best.get(channel)
            if before is None or _rank(tried) > _rank(before):
                best[channel] = tried
    return list(best.values())


def _rank(tried: Tried) -> int:
    order: tuple[Outcome | None, ...] = (None, "unknown", "failed", "sent", "delivered", "seen")
    return order.index(tried.outcome)
