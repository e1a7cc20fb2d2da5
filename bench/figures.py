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
class Comparison:
    """Ours beside the bare limit. `target_p50` and `target_p99` are in milliseconds, from DESIGN.md's table."""

    title: str
    ours: Measured
    bare: Measured
    target_p50: float
    target_p99: float
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        return self.ours.p50 <= self.target_p50 and self.ours.p99 <= self.target_p99

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "ours": self.ours.document(),
            "bare": self.bare.document(),
            "ratio_p50": round(self.ours.p50 / self.bare.p50, 2),
            "ratio_p99": round(self.ours.p99 / self.bare.p99, 2),
            "target_p50_ms": self.target_p50,
            "target_p99_ms": self.target_p99,
            "reached": self.reached,
            **self.facts,
        }
