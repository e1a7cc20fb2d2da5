"""Figures: what was measured, as percentiles, and how ours stands to the bare limit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


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
    def p99(self) -> float:
        return percentile(self.milliseconds, 99)

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

    @property
    def ratio_p50(self) -> float:
        return self.p50 / self.bare_p50

    @property
    def ratio_p99(self) -> float:
        return self.p99 / self.bare_p99


@dataclass(frozen=True)
class Comparison:
    """Ours beside the bare limit, and what we want to reach."""

    title: str
    ours: Measured
    bare: Measured
    goal: Goal
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def ratio_p50(self) -> float:
        return self.ours.p50 / self.bare.p50

    @property
    def ratio_p99(self) -> float:
        return self.ours.p99 / self.bare.p99

    @property
    def times_reached(self) -> bool:
        return self.ours.p50 <= self.goal.p50 and self.ours.p99 <= self.goal.p99

    @property
    def ratios_reached(self) -> bool:
        return self.ratio_p50 <= self.goal.ratio_p50 and self.ratio_p99 <= self.goal.ratio_p99

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "ours": self.ours.document(),
            "bare": self.bare.document(),
            "ratio_p50": round(self.ratio_p50, 2),
            "ratio_p99": round(self.ratio_p99, 2),
            "goal": {
                "p50_ms": self.goal.p50,
                "p99_ms": self.goal.p99,
                "ratio_p50": round(self.goal.ratio_p50, 2),
                "ratio_p99": round(self.goal.ratio_p99, 2),
            },
            "times_reached": self.times_reached,
            "ratios_reached": self.ratios_reached,
            **self.facts,
        }
