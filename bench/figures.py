"""Figures: what was measured, as percentiles, what is to be reached, and how a line of the table says it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Percentile = Literal["p50", "p95", "p99"]
NOTHING = "–"
ENOUGH_FOR_P99 = 20
"""Of fewer values the p99 is the largest, which says more of the machine than of us."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie, interpolated between neighbours (Hyndman and Fan, type 7)."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


@dataclass(frozen=True)
class Measured:
    """One series of times, in milliseconds."""

    name: str
    milliseconds: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        return percentile(self.milliseconds, 95)

    @property
    def p99(self) -> float:
        return percentile(self.milliseconds, 99)

    def at(self, which: Percentile) -> float:
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99}[which]

    def document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "count": len(self.milliseconds),
            "p50_ms": round(self.p50, 3),
            "p99_ms": round(self.p99, 3),
            "max_ms": round(max(self.milliseconds), 3),
        }


@dataclass(frozen=True)
class Goal:
    """What DESIGN.md asks for, in milliseconds, and the bare limit of the machine on which it was set.

    Machines differ and are noisy; the ratio to the bare limit, both measured in one run, is what can be compared.
    """

    p50: float
    p99: float
    bare_p50: float
    bare_p99: float

    def at(self, which: Percentile) -> float:
        return self.p50 if which == "p50" else self.p99

    def ratio(self, which: Percentile) -> float:
        """How many times the bare limit ours may take."""
        return self.at(which) / (self.bare_p50 if which == "p50" else self.bare_p99)


@dataclass(frozen=True)
class Check:
    """Something to reach, as it is said in the table, and whether it was. `kind` is one word."""

    kind: str
    goal: str
    reached: bool


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    ours: str
    bare: str = NOTHING
    peer: str = NOTHING
    ratio: str = NOTHING
    checks: tuple[Check, ...] = ()

    @property
    def goal(self) -> str:
        return ", ".join(check.goal for check in self.checks) or NOTHING

    @property
    def reached(self) -> str:
        """`yes`, `no`, which of several were; nothing where there is nothing to reach."""
        verdicts = {check.reached for check in self.checks}
        if len(verdicts) == 2:
            return ", ".join(f"{check.kind} {_yes(check.reached)}" for check in self.checks)
        return _yes(verdicts.pop()) if verdicts else NOTHING


def milliseconds(value: float) -> str:
    """To three figures that mean something: `0.43 ms`, `12.3 ms`, `1,400 ms`."""
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f} ms"


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
