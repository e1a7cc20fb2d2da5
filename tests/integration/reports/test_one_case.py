"""How a single case is judged, and from which moment its times run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest

from dispatch.cases import CaseDesk
from dispatch.identifiers import AreaId, case_id_for
from tests.conftest import database
from tests.integration.reports.office import Office, opened
from tests.integration.reports.told import AS_OF, PRESSED, VERDICTS, Told
from tests.projection_stories import NOON, press_on
from tests.servers import Servers

JUDGED: tuple[tuple[Told, str, str], ...] = (
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
)
IN_A_VILLAGE_EACH = [
    (replace(case, household=f"h-{number}", areas=(f"v-{number}", "c")), step, verdict)
    for number, (case, step, verdict) in enumerate(JUDGED)
]


@pytest.fixture(scope="module")
async def county(servers: Servers, migrated_template: str) -> AsyncIterator[Office]:
    """An office that was told of all these cases at once."""
    async with (
        database(servers, migrated_template) as dsn,
        opened(servers.nats_url, dsn, f"t{token_hex(5)}") as office,
    ):
        await office.told(case for case, _, _ in IN_A_VILLAGE_EACH)
        yield office


@pytest.mark.parametrize(("case", "step", "verdict"), IN_A_VILLAGE_EACH)
async def test_a_single_case_is_judged(county: Office, case: Told, step: str, verdict: str) -> None:
    assert case.verdict(step) == verdict, "the test's own computation agrees"
    row = (await county.response(area=AreaId(case.areas[0])))[""]
    assert row["cases"] == 1
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
