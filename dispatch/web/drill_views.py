"""Drills and reachability as JSON: what the API answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from typing_extensions import TypedDict

from dispatch.drills import Drill, DrillPlan, Line, Report
from dispatch.events import Gap
from dispatch.roster import GroupReach


class GapView(TypedDict):
    what: str
    reason: str


class PlannedView(TypedDict):
    household: str
    name: str
    group: str | None
    group_name: str | None
    people: int


class PlanView(TypedDict):
    planned: list[PlannedView]
    left_out: list[GapView]
    groups: int
    people: int


class DrillView(TypedDict):
    id: str
    by: str
    at: datetime
    until: datetime
    over: bool
    kind: str
    escalate: bool
    households: int


class TriedView(TypedDict):
    channel: str
    outcome: str | None
    seconds: float | None
    reason: str | None


class LineView(TypedDict):
    household: str
    household_name: str
    group: str | None
    group_name: str
    case: str
    responder: str
    name: str
    roles: list[str]
    called_at: datetime
    channels: list[TriedView]
    delivered_seconds: float | None
    seen_seconds: float | None
    answered_seconds: float | None
    answer: str | None
    reached: bool
    why: str


class ReportView(TypedDict):
    drill: DrillView
    called: int
    reached: int
    answered: int
    open_cases: int
    lines: list[LineView]
    missing: list[GapView]


class ReachableView(TypedDict):
    person: str
    name: str
    standing: str
    proven_at: datetime | None
    retired: list[str]


class GroupReachView(TypedDict):
    group: str
    name: str
    area: str
    bound: int
    proven: int
    score: float
    people: list[ReachableView]


def plan_view(plan: DrillPlan) -> PlanView:
    return {
        "planned": [
            {
                "household": one.household.id,
                "name": one.household.name,
                "group": one.group.id if one.group else None,
                "group_name": one.group.name if one.group else None,
                "people": len(one.people),
            }
            for one in plan.planned
        ],
        "left_out": gap_views(plan.left_out),
        "groups": len({one.group.id for one in plan.planned if one.group}),
        "people": len(plan.people),
    }


def drill_view(drill: Drill, at: datetime) -> DrillView:
    return {
        "id": drill.id,
        "by": drill.by,
        "at": drill.at,
        "until": drill.until,
        "over": drill.is_over(at),
        "kind": drill.kind,
        "escalate": drill.escalate,
        "households": len(drill.households),
    }


def gap_views(gaps: Iterable[Gap]) -> list[GapView]:
    return [{"what": gap.what, "reason": gap.reason} for gap in gaps]


def report_view(report: Report, names: Mapping[str, str], at: datetime) -> ReportView:
    """`names` are those of people, households and groups, by id."""
    return {
        "drill": drill_view(report.drill, at),
        "called": report.called,
        "reached": report.reached,
        "answered": report.answered,
        "open_cases": report.open_cases,
        "lines": [_line(line, names) for line in report.lines],
        "missing": [{"what": what, "reason": reason} for what, reason in report.missing],
    }


def _line(line: Line, names: Mapping[str, str]) -> LineView:
    return {
        "household": line.household,
        "household_name": names.get(line.household, ""),
        "group": line.group,
        "group_name": names.get(line.group or "", ""),
        "case": line.case,
        "responder": line.responder,
        "name": names.get(line.responder, ""),
        "roles": [reason.role for reason in line.reasons],
        "called_at": line.called_at,
        "channels": [
            {"channel": one.channel, "outcome": one.outcome, "seconds": one.seconds, "reason": one.reason}
            for one in line.tried
        ],
        "delivered_seconds": line.delivered_seconds,
        "seen_seconds": line.seen_seconds,
        "answered_seconds": line.answered_seconds,
        "answer": line.answer,
        "reached": line.reached,
        "why": line.why,
    }


def reach_view(reach: GroupReach) -> GroupReachView:
    return {
        "group": reach.group.id,
        "name": reach.group.name,
        "area": reach.group.area,
        "bound": len(reach.people),
        "proven": reach.proven,
        "score": round(reach.score, 3),
        "people": [
            {
                "person": one.person,
                "name": one.name,
                "standing": one.standing,
                "proven_at": one.proven_at,
                "retired": list(one.retired),
            }
            for one in reach.people
        ],
    }
