"""Response times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.clock import now
from dispatch.identifiers import AreaId
from dispatch.web.api.common import FreshAsked, caught_up, from_postgres, permitted_area
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id
from dispatch.web.reports.period import Bound, period_of


class LatencyAsked(FreshAsked):
    area: Id | None = None
    since: Bound | None = None
    until: Bound | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class Latency(TypedDict):
    cases: list[dict[str, Any]]
    summary: dict[str, Any]


async def latency(request: Request[None, LatencyAsked]) -> Mapping[str, Any]:
    asked, deps = request.query, request.parts.deps
    area = await permitted_area(deps.roster, request.principal, AreaId(asked.area) if asked.area else None)
    period = period_of(asked.since, asked.until, deps.settings.timezone, now())
    await caught_up(request)
    return await from_postgres(
        deps.read_models.latency(area=area, since=period.since, until=period.until, limit=asked.limit)
    )
