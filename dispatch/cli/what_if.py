"""`dispatch what-if`: recorded cases under another escalation policy, without calling anyone."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop
from nats.aio.client import Client
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatch.cli.connected import connected
from dispatch.cli.progress import Told, bars
from dispatch.cli.tables import folded_columns, whole_column
from dispatch.cli.times import site_zone
from dispatch.clock import now
from dispatch.errors import Malformed, NotFound, Unreadable
from dispatch.events import CASES, AlarmRaised, Commit, commit_of, follow
from dispatch.fanout import policy_among
from dispatch.identifiers import AreaId, CaseId, Site
from dispatch.roster import EscalationPolicy, Roster, read_policies
from dispatch.what_if import Compared, Replay, Summary, compare, recorded_of, replay, steps_from, summary

_TIME = "A time like 2026-11-01 or 2026-11-01T08:00:00+08:00; without an offset by the clocks of the site."
_SHOWN = 50


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
    policies = _policies(policy)
    chosen = _Chosen(since=_moment(since, "since"), until=_moment(until, "until"), area=area, case=case)
    if chosen.since is not None and chosen.until is not None and chosen.since >= chosen.until:
        raise Malformed(f"--since {since} is not before --until {until}", field="since")
    with bars(quiet=as_json or as_csv) as told:
        compared = uvloop.run(_compare(policies, chosen, told))
    if as_json:
        document = {"summary": summary(compared), "cases": compared}
        typer.echo(json.dumps(msgspec.to_builtins(document), ensure_ascii=False))
    elif as_csv:
        _print_csv(compared)
    elif case is not None:
        if not compared:
            raise NotFound(f"there is no case {case[:80]!r} that can be tried: no drill, no imported one", field="case")
        _print_one(compared[0])
    else:
        _print(compared, summary(compared))


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime | None
    until: datetime | None
    area: str | None
    case: str | None

    def takes(self, alarm: AlarmRaised) -> bool:
        return (
            not alarm.drill
            and (self.case is None or alarm.case == self.case)
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


async def _compare(policies: Sequence[EscalationPolicy], chosen: _Chosen, told: Told) -> list[Compared]:
    found: list[Compared] = []
    async with connected() as (nc, site):
        roster = Roster(nc, site)
        if chosen.area is not None and not await roster.areas([AreaId(chosen.area)]):
            raise NotFound(f"there is no area {chosen.area[:80]!r}; `dispatch roster list area` shows those there are")
        plan_step = steps_from(roster)
        cases = [commits async for commits in _cases(nc, site, chosen, told)]
        for done, commits in enumerate(cases, start=1):
            told("replaying", done, len(cases))
            recorded = recorded_of(commits, now())
            policy = policy_among(policies, recorded.case.kind, of="what-if") if recorded is not None else None
            if recorded is not None and policy is not None:
                was = Replay.of(event for commit in commits for event in commit.events)
                found.append(compare(recorded, was, await replay(recorded, policy, plan_step)))
    return found


async def _cases(nc: Client, site: Site, chosen: _Chosen, told: Told) -> AsyncIterator[list[Commit]]:
    """The cases of the log that are `chosen`, each whole."""
    commits: dict[CaseId, list[Commit]] = {}
    subject, done = f"cases.{site}.*.*", 0
    info = await nc.jetstream().stream_info(CASES, subjects_filter=subject)
    total = sum((info.state.subjects or {}).values())
    if total:
        async for message in follow(nc, CASES, subject):
            with suppress(Unreadable):
                _take(commit_of(message), commits, chosen)
            done += 1
            pending = message.metadata.num_pending
            if done % 1000 == 0 or pending == 0:
                told("reading", done, max(total, done))
            if pending == 0:
                break
    for case in list(commits):
        yield commits.pop(case)


def _take(commit: Commit, commits: dict[CaseId, list[Commit]], chosen: _Chosen) -> None:
    """Keep `commit` when it begins a case that is chosen, or goes on with one."""
    first = commit.events[0]
    if isinstance(first, AlarmRaised) and chosen.takes(first):
        commits[commit.case] = [commit]
    elif commit.case in commits:
        commits[commit.case].append(commit)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} s"


def _print(compared: Sequence[Compared], over_all: Summary) -> None:
    differing = [one for one in compared if one.differs]
    table = Table(
        whole_column("警情 case", [one.case for one in differing[:_SHOWN]]),
        *folded_columns("kind", "足够 enough, was", "would", "called, was", "would", "also called", "not called"),
    )
    for one in differing[:_SHOWN]:
        cells = (
            one.case,
            one.kind,
            _seconds(one.was.enough),
            _seconds(one.would.enough),
            str(len(one.was.called)),
            str(len(one.would.called)),
            " ".join(one.never_called_before),
            " ".join(one.not_called_any_more),
        )
        table.add_row(*map(Text, cells))
    console = Console()
    if differing:
        console.print(table)
    if len(differing) > _SHOWN:
        console.print(f"… and {len(differing) - _SHOWN} more; --csv gives all")
    if compared and not differing:
        in_force = (
            "：这就是当时执行的策略: this is the policy in force" if all(one.same_policy for one in compared) else ""
        )
        typer.echo(f"0 of {over_all.cases} different{in_force}")
    typer.echo(
        f"{over_all.cases} cases, {over_all.different} of them different. Enough help was reached in "
        f"{over_all.enough_was}, would have been in {over_all.enough_would}; median {_seconds(over_all.seconds_was)}, "
        f"would have been {_seconds(over_all.seconds_would)}. People called: {over_all.calls_was}, "
        f"would have been {over_all.calls_would}."
    )


def _print_one(one: Compared) -> None:
    people = sorted(one.was.called.keys() | one.would.called.keys(), key=lambda p: one.would.called.get(p, 1e9))
    table = Table(
        whole_column("responder", people), *folded_columns("呼叫 called, was", "would"), title=f"{one.case} {one.kind}"
    )
    for person in people:
        table.add_row(person, _seconds(one.was.called.get(person)), _seconds(one.would.called.get(person)))
    Console().print(table)
    for what, was, would in (
        ("足够 enough", one.was.enough, one.would.enough),
        ("到场 on scene", one.was.on_scene, one.would.on_scene),
    ):
        typer.echo(f"{what}: was {_seconds(was)}, would have been {_seconds(would)}")
    typer.echo(f"升级 steps: was {_steps(one.was.steps)}, would have been {_steps(one.would.steps)}")


def _steps(steps: Sequence[float]) -> str:
    return ", ".join(map(_seconds, steps)) or "none"


def _print_csv(compared: Sequence[Compared]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(
        ("case", "kind", "raised_at", "enough_was", "enough_would", "on_scene_was", "on_scene_would",
         "called_was", "called_would", "also_called", "not_called")
    )  # fmt: skip
    for one in compared:
        was, would = one.was, one.would
        writer.writerow(
            (one.case, one.kind, one.raised_at.isoformat(), was.enough, would.enough, was.on_scene, would.on_scene,
             len(was.called), len(would.called), " ".join(one.never_called_before), " ".join(one.not_called_any_more))
        )  # fmt: skip
