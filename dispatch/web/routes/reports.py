"""Response times, and the reports: each as JSON, as CSV and as XLSX."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from dispatch.web.api import latency, reports
from dispatch.web.endpoint import Handler, Request, Route
from dispatch.web.reports import tables, views
from dispatch.web.reports.sheets import CSV, XLSX
from dispatch.web.routes.bounds import OPERATOR


@dataclass(frozen=True, kw_only=True)
class _Report:
    """A report: its handler, what it takes and answers; and what its files take and hold."""

    name: str
    summary: str
    handler: Handler
    asked: type[BaseModel]
    answer: Any
    wanted: type[BaseModel]
    up_to: Callable[[Request[Any, Any], int], Awaitable[Any]]
    tables: Callable[[Any], Sequence[tables.Table]]

    def routes(self) -> Iterator[Route]:
        path = f"/v1/reports/{self.name}"
        route = Route(
            method="GET",
            path=path,
            handler=self.handler,
            roles=OPERATOR,
            query=self.asked,
            answer=self.answer,
            summary=self.summary,
        )
        yield route
        for suffix, media in (("csv", CSV), ("xlsx", XLSX)):
            yield replace(
                route,
                path=f"{path}.{suffix}",
                handler=reports.as_file(self.up_to, self.tables, media),
                query=self.wanted,
                answer=str,
                media=media,
                summary=f"{self.summary}, as {suffix.upper()}",
            )


REPORTS = (
    _Report(
        name="response",
        summary="How fast help came: shares within the targets and percentiles",
        handler=reports.response,
        asked=reports.ResponseAsked,
        answer=views.ResponseReport,
        wanted=reports.ResponseWanted,
        up_to=reports.response_up_to,
        tables=lambda report: [tables.response_table(report)],
    ),
    _Report(
        name="workload",
        summary="What each officer, group or village did, and how fast",
        handler=reports.workload,
        asked=reports.WorkloadAsked,
        answer=views.WorkloadReport,
        wanted=reports.WorkloadWanted,
        up_to=reports.workload_up_to,
        tables=lambda report: [tables.workload_table(report)],
    ),
    _Report(
        name="hot-spots",
        summary="Where and when cases come together",
        handler=reports.hot_spots,
        asked=reports.HotSpotsAsked,
        answer=views.HotSpotsReport,
        wanted=reports.PeriodAsked,
        up_to=reports.hot_spots_up_to,
        tables=lambda report: [tables.hot_spots_table(report)],
    ),
    _Report(
        name="month",
        summary="The month of an area in the buckets of 110",
        handler=reports.month,
        asked=reports.MonthAsked,
        answer=views.MonthReport,
        wanted=reports.MonthAsked,
        up_to=reports.month_up_to,
        tables=tables.month_tables,
    ),
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/latency",
        handler=latency.latency,
        roles=OPERATOR,
        query=latency.LatencyAsked,
        answer=latency.Latency,
        summary="Response times, per case and in sum",
    ),
    *(route for report in REPORTS for route in report.routes()),
)
