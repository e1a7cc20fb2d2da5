"""Response times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from dispatch.identifiers import AreaId
from dispatch.web.api.common import from_postgres, permitted_area
from dispatch.web.endpoint import Request
from dispatch.web.reading import Id, Sent


class LatencyAsked(Sent):
    area: Id | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class Latency(TypedDict):
    cases: list[dict[str, Any]]
    summary: dict[str, Any]


async def latency(request: Request[None, LatencyAsked]) -> Mapping[str, Any]:
    asked, deps = request.query, request.parts.deps
    area = await permitted_area(deps.roster, request.principal, AreaId(asked.area) if asked.area else None)
    return await from_postgres(
        deps.read_models.latency(area=area, since=asked.since, until=asked.until, limit=asked.limit)
    )
