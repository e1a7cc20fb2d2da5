"""The calls of an area are found by its cases or by reading all: figures are the same, and the quicker way is taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from dispatch.identifiers import AreaId, Site
from dispatch.projections import queries as lists
from dispatch.projections import reports
from dispatch.projections.few import has_few
from dispatch.projections.reader import Reader
from dispatch.settings import Settings
from tests.integration.reports.office import Office
from tests.integration.reports.told import SINCE, UNTIL, Told, told_by

AREAS = ("v-1", "v-3", "t-1", "c", "nowhere")


async def test_both_ways_give_the_same_figures(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    await office.told([told_by(chance, number) for number in range(60)])

    async def figures(area: AreaId) -> list[Any]:
        office.models.forget()
        asked: dict[str, Any] = {"area": area, "since": SINCE, "until": UNTIL}
        return [
            *[await office.workload(by, area=area) for by in ("responder", "group", "area")],
            *[await office.workload(area=area, kind="fire"), await office.workload(area=area, responder="p-1")],
            *[await office.models.reports.called(by=by, **asked) for by in ("responder", "area")],
            await office.models.latency(**asked),
        ]

    for area in map(AreaId, AREAS):
        found = []
        for few in (True, False):
            for module in (reports, lists):
                monkeypatch.setattr(module, "has_few", _always(few))
            found.append(await figures(area))
        assert found[0] == found[1], area


def _always(few: bool) -> Callable[..., Any]:
    async def always(*_asked: Any) -> bool:
        return few

    return always


async def test_few_is_at_most_a_quarter_of_the_newest_cases_of_the_period(office: Office, settings: Settings) -> None:
    villages = ("v-1", "v-2", "v-2", "v-3", "v-3")
    await office.told([Told(f"h-{n}", SINCE, areas=(village, "c")) for n, village in enumerate(villages)])
    reader = Reader(settings.require_postgres(), Site(settings.site), connections=1, seconds=2)
    few = {area for area in ("v-1", "v-2", "v-3", "c", "nowhere") if await has_few(reader, AreaId(area), SINCE, UNTIL)}
    assert few == {"v-1", "nowhere"}
    assert not await has_few(reader, None, SINCE, UNTIL)
    assert not await has_few(reader, AreaId("c"), None, None)
    assert await has_few(reader, AreaId("c"), UNTIL, None)  # without a case
    reader.close()
