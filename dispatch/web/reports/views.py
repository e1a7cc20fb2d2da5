"""Reports as JSON: what the API answers. Seconds unless it says otherwise; docs/LATENCY.md defines each figure."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired

from typing_extensions import TypedDict


class PercentilesView(TypedDict):
    count: int
    backwards: int
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class StepView(PercentilesView):
    within: int
    missed: int
    not_due: int
    unknown: int
    no_target: int
    share: float | None


class StepsView(TypedDict):
    answered: StepView
    under_way: StepView
    on_scene: StepView
    closed: StepView


class ChangeView(TypedDict):
    """Against the row before: more cases, and how much greater each share is (0.01: one point of a hundred)."""

    cases: int
    answered: float | None
    under_way: float | None
    on_scene: float | None
    closed: float | None


class ResponseRowView(TypedDict):
    key: str
    name: str
    cases: int
    open: int
    cancelled: int
    false_alarms: int
    steps: StepsView
    change: NotRequired[ChangeView | None]


class PeriodView(TypedDict):
    since: datetime
    until: datetime
    zone: str
    area: str | None
    area_name: str | None


class ResponseReport(PeriodView):
    by: str
    drills: int
    complete: bool
    rows: list[ResponseRowView]


class WorkloadRowView(TypedDict):
    key: str
    name: str
    called: int
    rung: int
    delivered: int
    answered: int
    going: int
    on_scene: int
    cannot: int
    prompt: int
    prompt_share: float | None
    to_answered: PercentilesView
    to_on_scene: PercentilesView


class WorkloadReport(PeriodView):
    by: str
    complete: bool
    rows: list[WorkloadRowView]


class HourView(TypedDict):
    day: int
    hour: int
    cases: int


class HotAreaView(TypedDict):
    area: str
    name: str
    kind: str
    cases: int


class HotSpotView(HotAreaView, HourView):
    pass


class HotSpotsReport(PeriodView):
    complete: bool
    hours: list[HourView]
    areas: list[HotAreaView]
    spots: list[HotSpotView]


class PathView(TypedDict):
    id: str
    name: str


class LeftOutView(TypedDict):
    """How many areas, groups and officers of the month are not listed; groups and officers are counted up to 5,000."""

    areas: int
    groups: int
    officers: int


class MonthReport(PeriodView):
    """A file lists every area, group and officer; else these are the largest. Of `hot_areas` there are at most 30."""

    month: str
    as_of: datetime
    complete: bool
    left_out: LeftOutView
    path: list[PathView]
    """The area and those above it which the operator may see, smallest first."""
    drills: int
    total: ResponseRowView
    month_before: ResponseRowView
    year_before: ResponseRowView
    areas: list[ResponseRowView]
    kinds: list[ResponseRowView]
    targets: list[ResponseRowView]
    days: list[ResponseRowView]
    months: list[ResponseRowView]
    groups: list[WorkloadRowView]
    officers: list[WorkloadRowView]
    hours: list[HourView]
    hot_areas: list[HotAreaView]
