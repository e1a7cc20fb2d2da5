"""Rows of a report with what is shown of them: names, days without a case, the change since the row before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster import Roster
from dispatch.web.ports import Row
from dispatch.web.reports.period import Period, Span
from dispatch.web.reports.views import ChangeView, ResponseRowView, WorkloadRowView

STEPS = ("answered", "under_way", "on_scene", "closed")
TIERS = {60: "1 分钟 1 min", 180: "3 分钟 3 min", 300: "5 分钟 5 min"}
"""The tiers of Shaoyang: key spots, the city's centre, its other parts; any other target is an area's own."""
KINDS = {"help": "求助 help", "intrusion": "入室 intrusion", "medical": "急病 medical", "fire": "火警 fire"}
NONE = "无 none"

Names = Mapping[str, str]


async def names_of(roster: Roster, by: str, keys: Iterable[str]) -> Names:
    """What the keys of a report by `by` are called; of what the roster does not have any more, nothing."""
    ids = {key for key in keys if key}
    match by:
        case "area":
            return {area.id: area.name for area in (await roster.areas(set(map(AreaId, ids)))).values()}
        case "group":
            return {group.id: group.name for group in (await roster.groups(set(map(GroupId, ids)))).values()}
        case "responder":
            return {person.id: person.name for person in (await roster.people(set(map(PersonId, ids)))).values()}
        case "kind":
            return KINDS
        case "target":
            return {key: TIERS.get(int(key), f"{key} 秒 s") for key in ids}
        case _:
            return {key: key for key in ids}


def named(rows: Iterable[Row], names: Names) -> list[dict[str, Any]]:
    """`rows`, each with its `name`; one that nobody knows is called by its key."""
    return [{**row, "name": names.get(row["key"]) or row["key"] or NONE} for row in rows]


def responses(rows: Iterable[Row], names: Names) -> list[ResponseRowView]:
    return cast("list[ResponseRowView]", named(rows, names))


def workloads(rows: Iterable[Row], names: Names) -> list[WorkloadRowView]:
    return cast("list[WorkloadRowView]", named(rows, names))


def trend(rows: Iterable[Row], period: Period, by: Span) -> list[ResponseRowView]:
    """A row for each day, week or month of `period`, also without a case, and the change since the one before."""
    known, shown = {row["key"]: row for row in rows}, list[ResponseRowView]()
    for key in period.starts(by):
        row = cast("ResponseRowView", {**known.get(key, no_cases(key)), "name": key})
        row["change"] = change(row, shown[-1]) if shown else None
        shown.append(row)
    return shown


def total(rows: Sequence[Row]) -> ResponseRowView:
    """The one row of a report by `total`."""
    return cast("ResponseRowView", {**(rows[0] if rows else no_cases("")), "name": "合计 total"})


def change(row: ResponseRowView, before: ResponseRowView) -> ChangeView:
    """How much more than `before`: cases, and shares where both have one."""
    shares = {step: _more(_share(row, step), _share(before, step)) for step in STEPS}
    return cast("ChangeView", {"cases": row["cases"] - before["cases"], **shares})


def _share(row: ResponseRowView, step: str) -> float | None:
    return cast("float | None", cast("Mapping[str, Any]", row["steps"])[step]["share"])


def _more(share: float | None, before: float | None) -> float | None:
    return None if share is None or before is None else share - before


def no_cases(key: str) -> Row:
    """The row of a period in which nothing happened."""
    counts = dict.fromkeys(("within", "missed", "not_due", "unknown", "backwards", "no_target", "count"), 0)
    nothing = {**counts, **dict.fromkeys(("share", "p50", "p90", "p95", "p99"))}
    return {
        "key": key,
        **dict.fromkeys(("cases", "open", "cancelled", "false_alarms"), 0),
        "steps": {step: dict(nothing) for step in STEPS},
    }
