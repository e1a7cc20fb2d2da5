"""Reports as tables for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from dispatch.web.reports.rows import KINDS, STEPS
from dispatch.web.reports.views import (
    HotSpotsReport,
    HourView,
    MonthReport,
    ResponseReport,
    ResponseRowView,
    WorkloadReport,
    WorkloadRowView,
)

Cell = str | int | float | None

PERCENTILES = ("p50", "p90", "p95", "p99")
WEEKDAYS = ("", "周一 Mon", "周二 Tue", "周三 Wed", "周四 Thu", "周五 Fri", "周六 Sat", "周日 Sun")
STEP_NAMES = {
    "answered": "30秒应答 answered ≤30 s",
    "under_way": "5分钟出动 under way ≤5 min",
    "on_scene": "限时到场 on scene ≤target",
    "closed": "30分钟办结 closed ≤30 min",
}
VERDICTS = {
    "share": "达标率 share",
    "within": "达标 within",
    "missed": "未达标 missed",
    "not_due": "未到期 not due",
    "unknown": "无记录 not recorded",
    "no_target": "无时限 no target",
    "backwards": "时间倒退 backwards",
}
CASES = ("警情 cases", "未结 open", "撤销 cancelled", "误报 false alarms")
WORK = {
    "called": "被呼叫 called",
    "rung": "已拨出 rung",
    "delivered": "送达 delivered",
    "answered": "应答 answered",
    "going": "前往 going",
    "on_scene": "到场 on scene",
    "cannot": "无法前往 cannot",
    "prompt": "30秒内应答 ≤30 s",
    "prompt_share": "30秒应答率 share ≤30 s",
}
INTERVALS = {"to_answered": "应答用时秒 to answer s", "to_on_scene": "到场用时秒 to scene s"}


@dataclass(frozen=True)
class Table:
    """A sheet: its title, the heads of its columns, its rows."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def response_table(report: ResponseReport) -> Table:
    return _responses("处置时效 response", report["rows"])


def workload_table(report: WorkloadReport) -> Table:
    return _workload("工作量 workload", report["rows"])


def hot_spots_table(report: HotSpotsReport) -> Table:
    header = ("编号 id", "辖区 area", "类别 kind", "星期 day", "时 hour", *CASES[:1])
    rows: list[tuple[Cell, ...]] = [
        (spot["area"], spot["name"], KINDS.get(spot["kind"], spot["kind"]), WEEKDAYS[spot["day"]], *_hour(spot))
        for spot in report["spots"]
    ]
    return Table("热点 hot spots", header, rows)


def month_tables(report: MonthReport) -> list[Table]:
    """The month: its totals and each area below first, then each table of the page."""
    sums = [report["total"], report["month_before"], report["year_before"]]
    names = ("本月 this month", "上月 month before", "去年同月 a year before")
    totals = [cast("ResponseRowView", {**row, "name": name}) for row, name in zip(sums, names, strict=True)]
    hours = [(WEEKDAYS[hour["day"]], *_hour(hour)) for hour in report["hours"]]
    return [
        _responses(report["month"], [*totals, *report["areas"]]),
        _responses("类别 kinds", report["kinds"]),
        _responses("时限 targets", report["targets"]),
        _responses("逐日 days", report["days"]),
        _responses("逐月 months", report["months"]),
        _workload("联防组 groups", report["groups"]),
        _workload("警务人员 officers", report["officers"]),
        Table("时段 hours", ("星期 day", "时 hour", *CASES[:1]), hours),
    ]


def _responses(title: str, rows: Iterable[ResponseRowView]) -> Table:
    heads = [
        f"{STEP_NAMES[step]} {head}"
        for step in STEPS
        for head in (*VERDICTS.values(), *(f"{percentile} s" for percentile in PERCENTILES))
    ]
    return Table(title, ("编号 id", "名称 name", *CASES, *heads), [_response(row) for row in rows])


def _response(row: ResponseRowView) -> tuple[Cell, ...]:
    steps = cast("Mapping[str, Mapping[str, Any]]", row["steps"])
    figures = [steps[step][name] for step in STEPS for name in (*VERDICTS, *PERCENTILES)]
    return (row["key"], row["name"], row["cases"], row["open"], row["cancelled"], row["false_alarms"], *figures)


def _workload(title: str, rows: Sequence[WorkloadRowView]) -> Table:
    heads = [f"{head} {name}" for head in INTERVALS.values() for name in ("n", "倒退 backwards", *PERCENTILES)]
    return Table(title, ("编号 id", "名称 name", *WORK.values(), *heads), [_work(row) for row in rows])


def _work(row: WorkloadRowView) -> tuple[Cell, ...]:
    found = cast("Mapping[str, Any]", row)
    took = [found[name][figure] for name in INTERVALS for figure in ("count", "backwards", *PERCENTILES)]
    return (row["key"], row["name"], *(found[name] for name in WORK), *took)


def _hour(hour: HourView) -> tuple[Cell, ...]:
    return (hour["hour"], hour["cases"])
