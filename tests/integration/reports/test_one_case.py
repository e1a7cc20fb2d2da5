"""How a single case is judged, and from which moment its times run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatch.cases import CaseDesk
from dispatch.identifiers import case_id_for
from tests.integration.reports.office import Office
from tests.integration.reports.told import AS_OF, PRESSED, VERDICTS, Told
from tests.projection_stories import NOON, press_on


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
