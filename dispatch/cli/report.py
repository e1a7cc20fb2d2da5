"""`dispatch report`: a month of an area in the buckets of 110, on a terminal or as a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli.connected import connected
from dispatch.cli.files import write_file
from dispatch.cli.tables import folded_columns
from dispatch.clock import now
from dispatch.errors import NotFound
from dispatch.identifiers import AreaId
from dispatch.projections import ReadModels
from dispatch.roster import Roster
from dispatch.settings import load_settings
from dispatch.web.reports.month import ALL, MonthDesk
from dispatch.web.reports.period import month_at, month_of
from dispatch.web.reports.rows import STEPS
from dispatch.web.reports.sheets import as_csv
from dispatch.web.reports.tables import STEP_NAMES, month_tables
from dispatch.web.reports.views import MonthReport, ResponseRowView


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    month: Annotated[str | None, typer.Option(help="A month like 2026-10; the running one if not given.")] = None,
    area: Annotated[str | None, typer.Option(help="An area and all below it; all of them if not given.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write totals and areas to this file.")] = None,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="Write every table to this workbook.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
) -> None:
    """Show how fast help came in a month: answered within 30 s, under way within 5 min, on scene within the area's
    target, closed within 30 min. Drills are left out; docs/LATENCY.md says what each figure means. This asks Postgres.

    Examples:

      dispatch report

      dispatch report --month 2026-10 --area gonghe

      dispatch report --month 2026-10 --csv 月报.csv --xlsx 月报.xlsx

      dispatch report --json
    """
    made = asyncio.run(_read(month, AreaId(area) if area else None))
    if csv is not None:
        totals = month_tables(made)[0]
        write_file(csv, as_csv(totals).encode(), len(totals.rows))
    if xlsx is not None:
        from dispatch.web.reports.workbook import as_xlsx  # slow to import

        tables = month_tables(made)
        write_file(xlsx, as_xlsx(tables), sum(len(table.rows) for table in tables))
    if as_json:
        typer.echo(msgspec.json.encode(made))
    elif csv is None and xlsx is None:
        Console().print(_table(made))


async def _read(month: str | None, area: AreaId | None) -> MonthReport:
    settings = load_settings()
    period = month_of(month, settings.timezone) if month else month_at(now(), settings.timezone)
    async with connected() as (nc, site):
        roster, models = Roster(nc, site), ReadModels(settings.require_postgres(), settings.site)
        if area is not None and not await roster.areas([area]):
            raise NotFound(f"there is no area {area[:80]!r}; `dispatch roster list area` shows those there are")
        try:
            return await MonthDesk(models.reports, roster, period, area, now()).report(within=None, most=ALL)
        finally:
            await models.close()


def _table(made: MonthReport) -> Table:
    name = made["area_name"] or "全部辖区 all areas"
    title = f"{name} {made['month']} · 演练不计 drills left out {made['drills']}"
    columns = folded_columns("辖区 area", "警情 cases", *(STEP_NAMES[step] for step in STEPS), "到场 scene p50/p90")
    table = Table(*columns, title=title)
    table.add_row(*_cells("本月 this month", made["total"]))
    table.add_row(*_cells("上月 month before", made["month_before"]))
    table.add_row(*_cells("去年同月 a year before", made["year_before"]), end_section=True)
    for row in made["areas"]:
        table.add_row(*_cells(row["name"], row))
    return table


def _cells(name: str, row: ResponseRowView) -> list[Text]:
    steps = cast("dict[str, Any]", row["steps"])
    scene = steps["on_scene"]
    took = "-" if scene["p50"] is None else f"{scene['p50']:.0f}/{scene['p90']:.0f} s"
    return [Text(cell) for cell in (name, str(row["cases"]), *(_share(steps[step]) for step in STEPS), took)]


def _share(step: dict[str, Any]) -> str:
    judged = step["within"] + step["missed"]
    return f"{step['share']:.1%} {step['within']}/{judged}" if judged else "-"
