"""What scenes give, each as lines of one table and as a document for a machine; `report` and `plots` take any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.figures import ENOUGH_FOR_P99, NOTHING, Check, Goal, Line, Measured, Percentile, milliseconds

_P50_P99: tuple[Percentile, Percentile] = ("p50", "p99")


class Result(Protocol):
    """What a scene gives, one or more of these."""

    @property
    def title(self) -> str: ...

    @property
    def legend(self) -> str:
        """What `ours`, `bare limit` and `peer` are in the lines of this one."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What else was seen, said below the table."""

    def lines(self) -> list[Line]: ...

    def document(self) -> dict[str, object]: ...


@dataclass(frozen=True)
class Comparison:
    """Ours beside the bare limit, and what we want to reach.

    Where a `peer` does the same work, ours may take `of_peer` times as long. `goal` is None where DESIGN.md has none.
    """

    title: str
    ours: Measured
    bare: Measured
    goal: Goal | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    peer: Measured | None = None
    of_peer: float = 1.0

    @property
    def legend(self) -> str:
        peer = f"; peer: {self.peer.name}" if self.peer is not None else ""
        return f"Ours: {self.ours.name}; bare limit: {self.bare.name}{peer}."

    def ratio(self, which: Percentile) -> float:
        return self.ours.at(which) / self.bare.at(which)

    def checks(self, which: Percentile) -> tuple[Check, ...]:
        checks = []
        if self.goal is not None:
            most, times = self.goal.at(which), self.goal.ratio(which)
            checks += [
                Check("time", f"≤ {most:g} ms", self.ours.at(which) <= most),
                Check("ratio", f"≤ ×{times:.1f} of the bare limit", self.ratio(which) <= times),
            ]
        if self.peer is not None:
            reached = self.ours.at(which) <= self.of_peer * self.peer.at(which)
            checks.append(Check("peer", f"≤ ×{self.of_peer:g} of the peer", reached))
        return tuple(checks)

    def lines(self) -> list[Line]:
        """One for p50 and one for p99; too few values have no p99, and one line."""
        count = len(self.ours.milliseconds)
        if count < ENOUGH_FOR_P99:
            return [self._line("p50", "time" if count == 1 else f"median of {count}")]
        return [self._line(which) for which in _P50_P99]

    def document(self) -> dict[str, object]:
        measured = {"ours": self.ours, "bare": self.bare, "peer": self.peer}
        return {
            "title": self.title,
            **{name: series.document() for name, series in measured.items() if series is not None},
            **{which: self._document(which) for which in _P50_P99},
            **self.facts,
        }

    def _line(self, which: Percentile, called: str | None = None) -> Line:
        ratio = f"×{self.ratio(which):.2f} of the bare limit"
        if self.peer is not None:
            ratio += f", ×{self.ours.at(which) / self.peer.at(which):.2f} of the peer"
        return Line(
            what=called or which,
            ours=milliseconds(self.ours.at(which)),
            bare=milliseconds(self.bare.at(which)),
            peer=NOTHING if self.peer is None else milliseconds(self.peer.at(which)),
            ratio=ratio,
            checks=self.checks(which),
        )

    def _document(self, which: Percentile) -> dict[str, object]:
        ratios = {"ratio_to_bare": round(self.ratio(which), 2)}
        if self.peer is not None:
            ratios["ratio_to_peer"] = round(self.ours.at(which) / self.peer.at(which), 2)
        return {**ratios, "reached": {check.kind: check.reached for check in self.checks(which)}}


@dataclass(frozen=True)
class Growth:
    """Ours and the bare limit while something grows. Flat is ours where each time is within `within` of the first."""

    title: str
    of: str
    """What grows: `households`."""
    sizes: Sequence[int]
    ours: Sequence[Measured]
    bare: Sequence[Measured]
    within: float
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def legend(self) -> str:
        return f"Ours: {self.ours[0].name}; bare limit: {self.bare[0].name}."

    def growth(self, place: int, which: Percentile) -> float:
        """The time at the size at `place`, of that at the first."""
        return self.ours[place].at(which) / self.ours[0].at(which)

    def lines(self) -> list[Line]:
        """Two for each size."""
        return [self._line(place, which) for place in range(len(self.sizes)) for which in _P50_P99]

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "of": self.of,
            "within": self.within,
            "sizes": [self._document(place) for place in range(len(self.sizes))],
            **self.facts,
        }

    def _line(self, place: int, which: Percentile) -> Line:
        growth, bare = self.growth(place, which), self.bare[place].at(which)
        ratio, checks = f"×{self.ours[place].at(which) / bare:.2f} of the bare limit", list[Check]()
        if place:
            ratio += f", ×{growth:.2f} of that with {self.sizes[0]:,}"
            checks = [Check("flat", f"≤ ×{self.within:g} of that with {self.sizes[0]:,}", growth <= self.within)]
        return Line(
            what=f"{self.sizes[place]:,} {self.of}, {which}",
            ours=milliseconds(self.ours[place].at(which)),
            bare=milliseconds(bare),
            ratio=ratio,
            checks=tuple(checks),
        )

    def _document(self, place: int) -> dict[str, object]:
        return {
            "size": self.sizes[place],
            "ours": self.ours[place].document(),
            "bare": self.bare[place].document(),
            **{f"growth_{which}": round(self.growth(place, which), 2) for which in _P50_P99},
        }


@dataclass(frozen=True)
class Listing:
    """Many things measured alike, each with the most it may take at `percent`, in milliseconds, or None."""

    title: str
    measured: Sequence[tuple[Measured, float | None]]
    which: Percentile = "p95"
    facts: Mapping[str, object] = field(default_factory=dict)
    legend: str = ""

    def lines(self) -> list[Line]:
        return [self._line(series, most) for series, most in self.measured]

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "measured": [self._document(series, most) for series, most in self.measured],
            **self.facts,
        }

    def _checks(self, series: Measured, most: float | None) -> tuple[Check, ...]:
        return () if most is None else (Check("time", f"≤ {most:g} ms", series.at(self.which) <= most),)

    def _line(self, series: Measured, most: float | None) -> Line:
        what = f"{series.name}, {self.which}"
        return Line(what=what, ours=milliseconds(series.at(self.which)), checks=self._checks(series, most))

    def _document(self, series: Measured, most: float | None) -> dict[str, object]:
        reached = {check.kind: check.reached for check in self._checks(series, most)}
        return {**series.document(), f"{self.which}_ms": round(series.at(self.which), 3), "reached": reached}


@dataclass(frozen=True)
class Memory:
    """Bytes that each process holds: after its start, and after a load. `bare` is a process that does nothing."""

    title: str
    processes: Mapping[str, tuple[int, int]]
    bare: int
    facts: Mapping[str, object] = field(default_factory=dict)
    legend: str = "Bare limit: Python with nats-py, connected, and nothing else. Of Postgres, all its processes."

    def lines(self) -> list[Line]:
        return [
            Line(
                what=f"{name}, after its start → after the load",
                ours=f"{mebibytes(started)} → {mebibytes(loaded)}",
                bare=mebibytes(self.bare),
                ratio=f"×{started / self.bare:.2f} → ×{loaded / self.bare:.2f} of the bare limit",
            )
            for name, (started, loaded) in self.processes.items()
        ]

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "bare_bytes": self.bare,
            "processes": {
                name: {"started_bytes": started, "loaded_bytes": loaded}
                for name, (started, loaded) in self.processes.items()
            },
            **self.facts,
        }


@dataclass(frozen=True)
class Failed:
    """A scene that came to nothing: it stands in the table like any other."""

    title: str
    reason: str
    facts: Mapping[str, object] = field(default_factory=dict)
    legend: str = ""

    def lines(self) -> list[Line]:
        return [Line(what="failed", ours=self.reason, checks=(Check("scene", NOTHING, reached=False),))]

    def document(self) -> dict[str, object]:
        return {"title": self.title, "failed": self.reason}


def sizes_up_to(largest: int, *, smallest: int) -> list[int]:
    """`smallest`, ten times as much, and so on, and `largest` at last."""
    sizes = [smallest]
    while sizes[-1] < largest:
        sizes.append(min(sizes[-1] * 10, largest))
    return sizes


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
