"""Each figure of a report, computed in Python from what was told."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.reports.told import LOCAL, SINCE, UNTIL, VERDICTS, Told


def percentiles_of(values: Sequence[float]) -> dict[str, Any]:
    """`percentile_cont` is Hyndman and Fan's type 7, as `inclusive` is in the standard library."""
    if not values:
        return dict.fromkeys(("p50", "p90", "p95", "p99"))
    cuts = statistics.quantiles([*values, *(values if len(values) == 1 else ())], n=100, method="inclusive")
    return {name: pytest.approx(cuts[int(name[1:]) - 1], abs=1e-6) for name in ("p50", "p90", "p95", "p99")}


def figures(cases: Sequence[Told], key: str) -> dict[str, Any]:
    """The row of a report over `cases`, which hold no drill."""
    steps = {}
    for step in ("answered", "under_way", "on_scene", "closed"):
        verdicts = Counter(case.verdict(step) for case in cases)
        known = [seconds for case in cases if (seconds := case.seconds(step)) is not None and seconds >= 0]
        judged = verdicts["within"] + verdicts["missed"]
        steps[step] = {
            **{name: verdicts[name] for name in VERDICTS},
            "share": pytest.approx(verdicts["within"] / judged) if judged else None,
            "count": len(known),
            **percentiles_of(known),
        }
    return {
        "key": key,
        "cases": len(cases),
        "open": sum(case.ended is None for case in cases),
        "cancelled": sum(case.ended is not None and case.ended[1] is None for case in cases),
        "false_alarms": sum(case.ended is not None and case.ended[1] == "false_alarm" for case in cases),
        "steps": steps,
    }


def keyed(cases: Iterable[Told], key: Callable[[Told], str]) -> dict[str, Any]:
    found: dict[str, list[Told]] = defaultdict(list)
    for case in cases:
        if not case.drill and SINCE <= case.at < UNTIL:
            found[key(case)].append(case)
    return {name: figures(those, name) for name, those in found.items()}


def local_day(case: Told) -> datetime:
    return case.at.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)


KEYS: dict[str, Callable[[Told], str]] = {
    "total": lambda _case: "",
    "kind": lambda case: case.kind,
    "target": lambda case: str(case.target or ""),
    "group": lambda _case: "g-1",
    "area": lambda case: case.areas[-1],
    "day": lambda case: f"{local_day(case):%Y-%m-%d}",
    "week": lambda case: f"{local_day(case) - timedelta(days=local_day(case).weekday()):%Y-%m-%d}",
    "month": lambda case: f"{local_day(case):%Y-%m-01}",
}
