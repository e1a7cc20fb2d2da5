"""A case as it is told to the log, and what is known of it from what was told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from dispatch.cases import Cancel, CaseDesk, Command, Resolve, SignalDuress
from dispatch.events import Kind, Resolution
from dispatch.identifiers import CommitId, case_id_for
from tests.projection_stories import NOON, PEOPLE, after, answered, press_on, recorded

ZONE = "Asia/Shanghai"
LOCAL = ZoneInfo(ZONE)
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=LOCAL), datetime(2026, 12, 1, tzinfo=LOCAL)
AS_OF = datetime(2026, 12, 1, tzinfo=LOCAL)
PRESSED = datetime(2026, 10, 15, 4, tzinfo=UTC)
LIMITS = {"answered": 30.0, "under_way": 300.0, "closed": 1800.0}
VERDICTS = ("within", "missed", "not_due", "unknown", "backwards", "no_target")
AREAS = (("v-1", "t-1", "c"), ("v-2", "t-1", "c"), ("v-3", "t-2", "c"), ("t-2", "c"))
KINDS: tuple[Kind, ...] = ("help", "fire", "medical", "intrusion")


@dataclass(frozen=True)
class Told:
    """A case as it is told to the log: what everybody did, in seconds after the press was accepted."""

    household: str
    at: datetime
    areas: tuple[str, ...] = AREAS[0]
    kind: Kind = "fire"
    target: int | None = 180
    drill: bool = False
    called: dict[str, float] = field(default_factory=dict)
    answers: tuple[tuple[str, str, float], ...] = ()
    ended: tuple[float, Resolution | None] | None = None
    """When it was closed and how; None for how: it was cancelled."""
    duress: float | None = None

    def seconds(self, step: str) -> float | None:
        """When the step was first reached, by the definitions of docs/LATENCY.md."""
        if step == "closed":
            return None if self.ended is None else self.ended[0]
        answers = {"answered": {"going", "cannot", "on_scene"}, "under_way": {"going", "on_scene"}}
        return min((s for _, answer, s in self.answers if answer in answers.get(step, {"on_scene"})), default=None)

    def verdict(self, step: str) -> str:
        limit = self.target if step == "on_scene" else LIMITS[step]
        seconds = self.seconds(step)
        if limit is None:
            return "no_target"
        if seconds is not None:
            return "backwards" if seconds < 0 else "within" if seconds <= limit else "missed"
        if self.ended is None:
            return "not_due" if self.at + timedelta(seconds=limit) > AS_OF else "missed"
        over, how = self.ended
        return "not_due" if how in {None, "false_alarm"} and over < limit else "missed"

    async def to(self, desk: CaseDesk) -> None:
        start = (self.at - NOON).total_seconds()
        opening = press_on(
            self.household, drill=self.drill, at=start, kind=self.kind, areas=self.areas, target=self.target
        )
        commands: list[Command] = [opening]
        commands += [recorded(f"r-{p}", start + s, (p, "live", "sent")) for p, s in self.called.items()]
        commands += [answered(person, answer, start + s) for person, answer, s in self.answers]
        if self.duress is not None:
            by = f"device:{self.household}"
            commands.append(SignalDuress(id=CommitId("duress"), at=after(start + self.duress), by=by, reason=""))
        if self.ended is not None:
            at, how = after(start + self.ended[0]), self.ended[1]
            commands.append(
                Resolve(id=CommitId("end"), at=at, by="operator:li", resolution=how)
                if how
                else Cancel(id=CommitId("end"), at=at, by="operator:li")
            )
        case = case_id_for(opening.press.household, opening.press.press)
        for command in commands:
            await desk.handle(case, command)


def told_by(chance: random.Random, number: int) -> Told:
    """Any case, with steps that are missing or before the press, on any day around two ends of a month."""
    middle = chance.choice([datetime(2026, 9, 30, 16, tzinfo=UTC), datetime(2026, 10, 31, 16, tzinfo=UTC)])
    called = {person: chance.uniform(0.2, 3) for person in PEOPLE if chance.random() < 0.9}
    times = sorted(chance.uniform(-5, 400) for _ in range(chance.randrange(5)))
    answers = tuple((chance.choice(PEOPLE), chance.choice(["going", "cannot", "on_scene"]), at) for at in times)
    how = chance.choice(["helped", "false_alarm", "handed_over", "other", None])
    ended = (chance.choice([20.0, 100.0, 1800.0, chance.uniform(10, 4000)]), cast("Resolution | None", how))
    return Told(
        household=f"h-{number}",
        at=middle + timedelta(seconds=round(chance.uniform(-9 * 86_400, 9 * 86_400), 3)),
        areas=chance.choice(AREAS),
        kind=chance.choice(KINDS),
        target=chance.choice([60, 180, 300, 240, None]),
        drill=chance.random() < 0.15,
        called=called,
        answers=answers,
        ended=ended if chance.random() < 0.85 else None,
    )
