"""Reports on a real log and a real Postgres: each figure equals one computed here from what was told, in Python."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as replace_told
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from msgspec.structs import replace

from dispatch.cases import (
    CallOne,
    Cancel,
    CaseDesk,
    Command,
    LeaveOut,
    Resolve,
    SignalDuress,
)
from dispatch.errors import Conflict
from dispatch.events import CaseLog, Kind, PlannedCall, Reason, Resolution, connect, ensure_streams
from dispatch.history.past_calls import PastCall, PastResponse, as_events
from dispatch.identifiers import AreaId, CommitId, GroupId, PersonId, case_id_for
from dispatch.projections import Projector, ReadModels, rebuild
from dispatch.settings import Settings
from tests.million import WORK, WORK_COLUMNS
from tests.projection_stories import NOON, PEOPLE, after, answered, press_on, projecting, recorded, until

ZONE = "Asia/Shanghai"
LOCAL = ZoneInfo(ZONE)
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=LOCAL), datetime(2026, 12, 1, tzinfo=LOCAL)
AS_OF = datetime(2026, 12, 1, tzinfo=LOCAL)
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


@dataclass
class Office:
    """A site whose log can be told cases, and its reports."""

    log: CaseLog
    models: ReadModels
    projector: Projector

    async def told(self, cases: Iterable[Told]) -> None:
        desk, limit = CaseDesk(self.log), asyncio.Semaphore(16)

        async def one(case: Told) -> None:
            async with limit:
                await case.to(desk)

        await asyncio.gather(*map(one, cases))
        end = await self.log.last_sequence()
        async with projecting(self.projector):
            await until(lambda: self.models.wait_for(end, 0), f"the read models to reach {end}")

    async def response(self, by: str = "total", **asked: Any) -> dict[str, Any]:
        asked = {"since": SINCE, "until": UNTIL, "as_of": AS_OF, "zone": ZONE, "limit": 500, **asked}
        return {row["key"]: row for row in await self.models.reports.response(by=by, **asked)}

    async def workload(self, by: str = "responder", **asked: Any) -> dict[str, Any]:
        asked = {"since": SINCE, "until": UNTIL, "limit": 500, **asked}
        return {row["key"]: row for row in await self.models.reports.workload(by=by, **asked)}


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    log, dsn = CaseLog(nc, settings.site), settings.require_postgres()
    office = Office(log, ReadModels(dsn, settings.site), Projector(nc, log, dsn))
    yield office
    await office.models.close()
    await nc.close()


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


async def test_every_figure_of_many_cases_equals_an_independent_computation(office: Office) -> None:
    chance = random.Random(4)
    cases = [told_by(chance, number) for number in range(120)]
    await office.told(cases)
    assert sum(case.drill for case in cases) > 5
    for by, key in KEYS.items():
        assert await office.response(by) == keyed(cases, key), by
    for area in ("t-1", "v-3", "c"):
        inside = [case for case in cases if area in case.areas]
        below = keyed(inside, lambda case, area=area: case.areas[max(case.areas.index(area) - 1, 0)])  # type: ignore[misc]
        assert await office.response("area", area=AreaId(area)) == below
    fires = keyed([case for case in cases if case.kind == "fire"], KEYS["month"])
    assert await office.response("month", kind="fire") == fires
    assert await office.models.reports.drills(since=SINCE, until=UNTIL) == sum(case.drill for case in cases)


async def test_the_work_of_everybody_equals_an_independent_computation(office: Office) -> None:
    chance = random.Random(5)
    cases = [told_by(chance, number) for number in range(60)]
    await office.told(cases)
    for area in (None, "t-1", "v-3"):
        counted = [case for case in cases if not case.drill and (area is None or area in case.areas)]
        found = await office.workload(area=area and AreaId(area))
        for person in PEOPLE:
            firsts = [
                (case.called.get(person), min((s for who, _, s in case.answers if who == person), default=None))
                for case in counted
            ]
            took = [answered - called for called, answered in firsts if called is not None and answered is not None]
            last = [next((a for who, a, _ in reversed(case.answers) if who == person), None) for case in counted]
            assert found[person]["called"] == len(counted)
            assert found[person]["rung"] == sum(called is not None for called, _ in firsts)
            assert found[person]["answered"] == sum(answered is not None for _, answered in firsts)
            assert found[person]["cannot"] == last.count("cannot")
            assert found[person]["on_scene"] == sum((person, "on_scene") in [a[:2] for a in c.answers] for c in counted)
            assert found[person]["prompt"] == sum(0 <= seconds <= 30 for seconds in took)
            forward = [seconds for seconds in took if seconds >= 0]
            backwards = len(took) - len(forward)
            expected = {"count": len(forward), "backwards": backwards, **percentiles_of(forward)}
            assert found[person]["to_answered"] == expected
    everybody = len(PEOPLE) * sum(not case.drill for case in cases)
    assert {key: row["called"] for key, row in (await office.workload("group")).items()} == {"g-1": everybody}
    assert await office.workload(officers=True) == {}
    assert await office.models.reports.called(by="responder", since=SINCE, until=UNTIL) == len(PEOPLE)
    assert await office.models.reports.called(by="responder", since=SINCE, until=UNTIL, officers=True) == 0
    assert set(await office.workload(responder=PersonId("p-1"))) == {"p-1"}
    assert await office.workload(group=GroupId("g-2")) == {}


async def test_what_is_kept_of_groups_and_officers_is_what_the_responses_say(
    office: Office, settings: Settings
) -> None:
    """To the last bit of every figure, with late events, people left out afterwards, officers and drills among them."""
    chance = random.Random(7)
    cases = [told_by(chance, number) for number in range(60)]
    await office.told(cases)
    desk = CaseDesk(office.log)
    for number, case in enumerate(cases):  # when all of it has been counted already
        start = (case.at - NOON).total_seconds()
        opening = press_on(case.household, at=start, kind=case.kind, areas=case.areas, target=case.target)
        case_id = case_id_for(opening.press.household, opening.press.press)
        officer = PlannedCall(
            responder=PersonId(f"o-{number % 3}"),
            reasons=(Reason(role="auxiliary_officer", of="v-1"),),
            channels=("live",),
        )
        out = LeaveOut(id=CommitId("late-out"), at=after(start + 5000), people=(PersonId("p-1"),), by="operator:li")
        call = CallOne(id=CommitId("one"), at=after(start + 4000), by="operator:li", call=officer)
        for command in (call, answered("p-2", "on_scene", start + 4500.123457), out):
            with suppress(Conflict):  # when it is over nobody is called and nobody answers any more
                await desk.handle(case_id, command)
    await office.told([])
    connection = await asyncpg.connect(settings.require_postgres())
    try:
        always = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        said = await connection.fetch(WORK, *always)
        kept = await connection.fetch(f"select {WORK_COLUMNS} from work where called > 0")  # noqa: S608
        assert {tuple(map(repr, row)) for row in kept} == {tuple(map(repr, row)) for row in said}
        assert len(kept) == len(said) > 60
        assert await connection.fetchval("select count(*) from work where officers") > 5
        assert await connection.fetchval("select count(*) from work where 'p-1' = any(responders)") < len(cases)
    finally:
        await connection.close()


async def test_hot_spots_are_counted_by_the_clocks_of_the_place(office: Office) -> None:
    chance = random.Random(6)
    cases = [told_by(chance, number) for number in range(60)]
    await office.told(cases)
    found = await office.models.reports.hot_spots(since=SINCE, until=UNTIL, zone=ZONE, limit=500)
    real = [case for case in cases if not case.drill]
    hours = Counter((case.at.astimezone(LOCAL).isoweekday(), case.at.astimezone(LOCAL).hour) for case in real)
    assert {(row["day"], row["hour"]): row["cases"] for row in found["hours"]} == hours
    areas = Counter((case.areas[0], case.kind) for case in real)
    assert {(row["area"], row["kind"]): row["cases"] for row in found["areas"]} == areas
    assert sum(row["cases"] for row in found["spots"]) == len(real)
    assert [row["cases"] for row in found["spots"]] == sorted((row["cases"] for row in found["spots"]), reverse=True)


PRESSED = datetime(2026, 10, 15, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("case", "step", "verdict"),
    [
        (Told("h", PRESSED, answers=(("p-1", "cannot", 30),)), "answered", "within"),
        (Told("h", PRESSED, answers=(("p-1", "cannot", 30.001),)), "answered", "missed"),
        (Told("h", PRESSED, answers=(("p-1", "on_scene", 120),)), "under_way", "within"),
        (Told("h", PRESSED, answers=(("p-1", "on_scene", 180),)), "on_scene", "within"),
        (Told("h", PRESSED, answers=(("p-1", "on_scene", 181),)), "on_scene", "missed"),
        (Told("h", PRESSED, target=None, answers=(("p-1", "on_scene", 1),)), "on_scene", "no_target"),
        (Told("h", PRESSED, answers=(("p-1", "on_scene", -3),)), "on_scene", "backwards"),
        (Told("h", PRESSED, ended=(60, "helped")), "on_scene", "missed"),
        (Told("h", PRESSED, ended=(60, "false_alarm")), "on_scene", "not_due"),
        (Told("h", PRESSED, ended=(60, None)), "on_scene", "not_due"),
        (Told("h", PRESSED, ended=(181, None)), "on_scene", "missed"),
        (Told("h", PRESSED, ended=(60, None)), "closed", "within"),
        (Told("h", PRESSED, ended=None), "closed", "missed"),
        (Told("h", AS_OF - timedelta(seconds=100), ended=None), "on_scene", "not_due"),
        (Told("h", AS_OF - timedelta(seconds=181), ended=None), "on_scene", "missed"),
        (Told("h", PRESSED, duress=60), "on_scene", "missed"),
        (Told("h", PRESSED, duress=60, answers=(("p-1", "on_scene", 150),), ended=(900, "helped")), "closed", "within"),
    ],
)
async def test_a_single_case_is_judged(office: Office, case: Told, step: str, verdict: str) -> None:
    assert case.verdict(step) == verdict, "the test's own computation agrees"
    await office.told([case])
    row = (await office.response())[""]
    assert {name: row["steps"][step][name] for name in VERDICTS} == {name: int(name == verdict) for name in VERDICTS}
    assert row["cancelled"] == int(case.ended is not None and case.ended[1] is None)


async def test_the_time_runs_from_the_first_of_many_presses(office: Office) -> None:
    case = Told("h-1", PRESSED, answers=(("p-1", "on_scene", 170),))
    start = (PRESSED - NOON).total_seconds()
    await office.told([case])
    again = press_on("h-1", "b2", at=start + 100)
    await CaseDesk(office.log).handle(case_id_for(again.press.household, press_on("h-1").press.press), again)
    await office.told([])
    row = (await office.response())[""]
    assert row["cases"] == 1
    assert row["steps"]["on_scene"]["p50"] == pytest.approx(170)


async def test_what_happened_long_ago_counts_when_it_happened(office: Office) -> None:
    """As cases of an older system do, which are brought into the log today."""
    long_ago = datetime(2019, 3, 31, 15, 59, tzinfo=UTC)
    await office.told([Told("h-1", long_ago), Told("h-2", long_ago + timedelta(minutes=2))])
    assert await office.response() == {}
    years = {"since": datetime(2019, 1, 1, tzinfo=UTC), "until": datetime(2020, 1, 1, tzinfo=UTC)}
    assert {key: row["cases"] for key, row in (await office.response("month", **years)).items()} == {
        "2019-03-01": 1,
        "2019-04-01": 1,
    }


async def imported(office: Office, *calls: PastCall) -> None:
    for call in calls:
        await office.log.keep_past(call.case, as_events(call, (AreaId("v-1"), AreaId("c"))), commit=call.commit)
    await office.told([])


async def test_an_imported_case_is_never_open_and_what_nobody_recorded_of_its_end_is_unknown(office: Office) -> None:
    """Also one of a moment ago: nobody goes on with it here, so no step of it is still to come."""
    at = AS_OF - timedelta(seconds=20)
    unit = PastResponse(responder=PersonId("e-1"), called_at=at, en_route_at=at + timedelta(seconds=15))
    cleared = PastResponse(responder=PersonId("e-1"), cleared_at=at + timedelta(seconds=900))
    call = PastCall(call="1", kind="fire", area=AreaId("v-1"), raised_at=at)
    await imported(office, replace(call, responses=(unit,)), replace(call, call="2", responses=(cleared,)))
    row = (await office.response())[""]
    assert (row["cases"], row["open"]) == (2, 0)
    board, _ = await office.models.list_cases(status="open", area=None, kind=None, limit=10, before=None)
    assert board == []
    found = {step: {name: row["steps"][step][name] for name in VERDICTS} for step in row["steps"]}
    none = dict.fromkeys(VERDICTS, 0)
    assert found == {
        "answered": none | {"within": 1, "missed": 1},
        "under_way": none | {"within": 1, "missed": 1},
        "on_scene": none | {"no_target": 2},
        "closed": none | {"within": 1, "unknown": 1},
    }
    assert (row["steps"]["closed"]["share"], row["steps"]["closed"]["count"]) == (1.0, 1)


async def test_the_cases_of_an_officer_are_those_on_which_they_were_called_and_not_left_out(office: Office) -> None:
    await office.told([Told("h-1", PRESSED), Told("h-2", PRESSED), Told("h-3", PRESSED, drill=True)])
    at = PRESSED + timedelta(seconds=60)
    only = PastCall(call="1", kind="fire", area=AreaId("v-1"), raised_at=PRESSED)
    await imported(office, replace(only, responses=(PastResponse(responder=PersonId("e-1"), called_at=at),)))
    opening = press_on("h-2", at=(PRESSED - NOON).total_seconds())
    out = LeaveOut(id=CommitId("out"), at=at, people=(PersonId("p-1"),), by="operator:li")
    await CaseDesk(office.log).handle(case_id_for(opening.press.household, opening.press.press), out)
    await office.told([])
    cases = {who: await office.response(responder=PersonId(who)) for who in ("p-1", "p-2", "e-1", "nobody")}
    assert {who: rows[""]["cases"] for who, rows in cases.items() if rows} == {"p-1": 1, "p-2": 2, "e-1": 1}
    drills = [
        await office.models.reports.drills(since=SINCE, until=UNTIL, responder=PersonId(who)) for who in ("p-1", "e-1")
    ]
    assert drills == [1, 0]


LONG_AGO = {"since": datetime(2025, 2, 1, tzinfo=LOCAL), "until": datetime(2025, 7, 1, tzinfo=LOCAL)}


def long_ago(chance: random.Random, number: int) -> Told:
    told = told_by(chance, number)
    at = LONG_AGO["since"] + timedelta(
        days=chance.choice([3, 27, 28, 55, 70, 140]), seconds=round(chance.uniform(0, 9e4))
    )
    return replace_told(told, at=at)


def by_month(cases: Iterable[Told], **narrower: Any) -> dict[str, Any]:
    found: dict[str, list[Told]] = defaultdict(list)
    for case in cases:
        if not case.drill and all(getattr(case, name) == value for name, value in narrower.items()):
            found[KEYS["month"](case)].append(case)
    return {name: figures(those, name) for name, those in found.items()}


@pytest.fixture
def readings(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[tuple[datetime, datetime]]:
    """The periods over which cases were counted, and not remembered."""
    found: list[tuple[datetime, datetime]] = []
    reader = office.models.reports._reader  # what is remembered is seen by what is not asked
    values = reader.values

    async def noted(query: str, *arguments: Any) -> Any:
        found.append((arguments[3], arguments[4]))
        return await values(query, *arguments)

    monkeypatch.setattr(reader, "values", noted)
    return found


async def test_a_month_that_is_long_over_is_counted_once_until_one_of_its_cases_changes(
    office: Office, readings: list[tuple[datetime, datetime]], settings: Settings
) -> None:
    chance = random.Random(8)
    cases = [long_ago(chance, number) for number in range(60)]
    await office.told(cases)

    async def right(counted: bool) -> None:
        before = len(readings)
        assert await office.response("month", **LONG_AGO) == by_month(cases)
        assert (len(readings) > before) is counted

    assert len(await office.response("month", **LONG_AGO, limit=1)) == 1
    await right(counted=False)  # although only one of them was shown
    assert await office.response("month", **LONG_AGO, kind="fire") == by_month(cases, kind="fire")
    assert await office.response("month", **LONG_AGO, kind="fire") == by_month(cases, kind="fire")
    assert await office.response("month", **LONG_AGO, area=AreaId("nowhere")) == {}
    await right(counted=False)

    # A case of an older system comes late, and somebody is left out of one that is long over.
    cases += [replace_told(long_ago(chance, number), drill=False) for number in range(60, 63)]
    await office.told(cases[-3:])
    await right(counted=True)
    await right(counted=False)
    alone = Told(
        "h-out", LONG_AGO["since"], called={"p-1": 1.0}, answers=(("p-1", "going", 9.0),), ended=(99, "helped")
    )
    await office.told([alone])
    cases.append(alone)
    await right(counted=True)
    opening = press_on("h-out", at=(alone.at - NOON).total_seconds())
    out = LeaveOut(id=CommitId("out"), at=alone.at, people=(PersonId("p-1"),), by="operator:li")
    await CaseDesk(office.log).handle(case_id_for(opening.press.household, opening.press.press), out)
    await office.told([])
    cases[-1] = replace_told(alone, answers=())
    await right(counted=True)
    await right(counted=False)

    # What a rebuild puts in its place is counted anew, and its late changes are noted as well.
    nats_url, dsn = settings.require_nats(), settings.require_postgres()
    nc = await connect(nats_url, "test")
    await rebuild(nc, nats_url, dsn, settings.site, ["latency"])
    await nc.close()
    await right(counted=True)
    await right(counted=False)
    late = replace_told(long_ago(chance, 99), drill=False)
    await office.told([late])
    cases.append(late)
    await right(counted=True)

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("delete from latency where household = 'h-99'")
        cases.remove(late)
        await right(counted=True)
    finally:
        await connection.close()


async def test_what_is_emptied_or_not_watched_is_not_remembered(
    office: Office, readings: list[tuple[datetime, datetime]], settings: Settings
) -> None:
    await office.told([Told("h-1", LONG_AGO["since"])])
    for _ in range(2):
        assert (await office.response("month", **LONG_AGO))["2025-02-01"]["cases"] == 1
    connection = await asyncpg.connect(settings.require_postgres())
    await connection.execute("truncate latency")
    assert await office.response("month", **LONG_AGO) == {}
    readings.clear()
    await connection.execute("drop trigger note_old_change on latency")
    for times in (1, 2):  # where nobody would note a change
        assert await office.response("month", **LONG_AGO) == {}
        assert len(readings) == 2 * times
    await connection.close()


async def test_a_month_that_is_hardly_over_is_counted_each_time(
    office: Office, readings: list[tuple[datetime, datetime]]
) -> None:
    """As of then: a case of it may still change, and nobody would note it."""
    case = Told("h-1", LONG_AGO["since"] + timedelta(days=1), ended=None, answers=(("p-1", "going", 9.0),), target=None)
    await office.told([case])
    until = datetime(2025, 3, 1, tzinfo=LOCAL)
    asked = {"since": LONG_AGO["since"], "until": until}
    for as_of, times in ((until + timedelta(days=39), 3), (until + timedelta(days=41), 1)):
        readings.clear()
        for _ in range(3):
            row = (await office.response("month", **asked, as_of=as_of))["2025-02-01"]
            assert (row["cases"], row["open"]) == (1, 1)
        assert len(readings) == times


async def test_an_open_case_with_a_target_of_months_is_judged_each_time(office: Office) -> None:
    days = 86_400
    case = Told("h-1", LONG_AGO["since"] + timedelta(days=1), ended=None, target=100 * days)
    await office.told([case])
    asked = {"since": LONG_AGO["since"], "until": datetime(2025, 3, 1, tzinfo=LOCAL)}
    for passed, verdict in ((70, "not_due"), (99, "not_due"), (101, "missed"), (200, "missed"), (80, "not_due")):
        row = (await office.response("month", **asked, as_of=case.at + timedelta(days=passed)))["2025-02-01"]
        assert row["steps"]["on_scene"][verdict] == 1, passed
