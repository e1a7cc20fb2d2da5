"""`dispatch what-if`: recorded cases under another escalation policy, without calling anyone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, TextIO

import msgspec
import typer
import uvloop

from dispatch.cli.connected import connected
from dispatch.cli.progress import Told, bars
from dispatch.cli.times import site_zone
from dispatch.cli.what_if_sheets import CsvSheet, JsonSheet, OneSheet, Sheet, TableSheet
from dispatch.clock import now
from dispatch.errors import Malformed, NotFound
from dispatch.events import AlarmRaised, CaseLog
from dispatch.fanout import policy_among
from dispatch.identifiers import AreaId, CaseId
from dispatch.roster import EscalationPolicy, Roster, read_policies
from dispatch.settings import load_settings
from dispatch.what_if import (
    Replay,
    Summary,
    Totals,
    begun,
    begun_alone,
    compare,
    recorded_of,
    replay,
    steps_from,
    whole,
)

_TIME = "A time like 2026-11-01 or 2026-11-01T08:00:00+08:00; without an offset by the clocks of the site."


def register(app: typer.Typer) -> None:
    app.command("what-if")(what_if)


def what_if(  # noqa: PLR0917 - Typer calls it by name
    policy: Annotated[
        Path, typer.Option(help="A JSON file with a list of policies, as `dispatch roster policy` prints.")
    ],
    since: Annotated[str | None, typer.Option(help=f"Cases raised from then on. {_TIME}")] = None,
    until: Annotated[str | None, typer.Option(help=f"Cases raised before then. {_TIME}")] = None,
    area: Annotated[str | None, typer.Option(help="Cases of this area and those below it.")] = None,
    case: Annotated[str | None, typer.Option(help="This case alone, and who would have been called when.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a machine.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line for each case, for a spreadsheet.")] = False,
) -> None:
    """Run recorded cases under another escalation policy and show what would have been different. Nobody is called.

    Everybody is taken to react to being called as they did, as long after it as they did; who was never called is taken
    not to answer. Operators do what they did, when they did it. Whom a step calls the roster of today says. Drills and
    imported cases are left out, and so are kinds of case for which the file has no policy. To begin with,
    `dispatch roster policy AREA` prints one.

    Examples:

      dispatch what-if --policy policies.json --since 2026-11-01

      dispatch what-if --policy policies.json --case h-0002-ABCDEFGH

      dispatch what-if --policy policies.json --area maozhou --csv
    """
    if as_json and as_csv:
        raise Malformed("--json or --csv: choose one of them", field="csv")
    policies = _policies(policy)
    chosen = _Chosen(since=_moment(since, "since"), until=_moment(until, "until"), area=area, case=case)
    if chosen.since is not None and chosen.until is not None and chosen.since >= chosen.until:
        raise Malformed(f"--since {since} is not before --until {until}", field="since")
    with TemporaryFile("w+", encoding="utf-8", newline="") as aside:
        sheet = _sheet(case, aside, as_json=as_json, as_csv=as_csv)
        with bars(quiet=as_json or as_csv) as told:
            over_all = uvloop.run(_compare(policies, chosen, sheet, told))
        if case is not None and not over_all.cases:
            raise NotFound(
                f"there is no case {case[:80]!r} that can be tried: no drill, no imported one, none of a kind for "
                "which the file has no policy; `dispatch case list --status all` shows those there are",
                field="case",
            )
        sheet.end(over_all)


def _sheet(case: str | None, aside: TextIO, *, as_json: bool, as_csv: bool) -> Sheet:
    if as_json:
        return JsonSheet(aside)
    if as_csv:
        return CsvSheet(aside)
    return TableSheet() if case is None else OneSheet()


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime | None
    until: datetime | None
    area: str | None
    case: str | None

    def takes(self, alarm: AlarmRaised) -> bool:
        return (
            not alarm.drill
            and (self.area is None or self.area in alarm.areas)
            and (self.since is None or alarm.at >= self.since)
            and (self.until is None or alarm.at < self.until)
        )


def _policies(path: Path) -> tuple[EscalationPolicy, ...]:
    try:
        found = read_policies(path.read_bytes(), f"--policy {path}")
    except OSError as error:
        raise Malformed(f"--policy {path} cannot be read: {error.strerror}", field="policy") from None
    if not found:
        raise Malformed(
            f"--policy {path} holds no policy (an area without one of its own keeps to the standard one); "
            "`dispatch roster policy --help` shows what one looks like",
            field="policy",
        )
    return found


def _moment(value: str | None, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise Malformed(
            f"--{field} {value!r} is not a time: write it like 2026-11-01T08:00:00+08:00", field=field
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=site_zone())


async def _compare(policies: Sequence[EscalationPolicy], chosen: _Chosen, sheet: Sheet, told: Told) -> Summary:
    totals = Totals()
    async with connected() as (nc, site):
        roster = Roster(nc, site)
        if chosen.area is not None and not await roster.areas([AreaId(chosen.area)]):
            raise NotFound(f"there is no area {chosen.area[:80]!r}; `dispatch roster list area` shows those there are")
        plan_step = steps_from(roster)
        log, done = CaseLog(nc, site), 0
        if chosen.case is None:
            cases = await begun(load_settings().require_nats(), site, chosen.takes, partial(told, "reading"))
        else:
            cases = await begun_alone(log, CaseId(chosen.case), chosen.takes)
        async for commits in whole(log, cases):
            recorded = recorded_of(commits, now())
            policy = policy_among(policies, recorded.case.kind, of="what-if") if recorded is not None else None
            if recorded is not None and policy is not None:
                was = Replay.of(event for commit in commits for event in commit.events)
                compared = compare(recorded, was, await replay(recorded, policy, plan_step))
                totals.add(compared)
                sheet.take(compared)
            done += 1
            told("replaying", done, len(cases))
    return totals.summary()
