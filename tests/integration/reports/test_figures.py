"""Reports on a real log and a real Postgres: each figure equals one computed here from what was told, in Python."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg

from dispatch.cases import CallOne, CaseDesk, LeaveOut
from dispatch.errors import Conflict
from dispatch.events import PlannedCall, Reason
from dispatch.identifiers import AreaId, CommitId, GroupId, PersonId, case_id_for
from dispatch.settings import Settings
from tests.integration.reports.computing import KEYS, keyed, percentiles_of
from tests.integration.reports.office import Office
from tests.integration.reports.told import LOCAL, SINCE, UNTIL, ZONE, told_by
from tests.million import WORK, WORK_COLUMNS
from tests.projection_stories import NOON, PEOPLE, after, answered, press_on


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
