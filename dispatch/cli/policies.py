"""`dispatch roster policy`: how a call widens in an area, and from where that comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from dispatch.cli.connected import connected
from dispatch.cli.operator import name_here
from dispatch.errors import Malformed, NotFound
from dispatch.events import Kind
from dispatch.identifiers import AreaId
from dispatch.roster import Area, EscalationPolicy, Roster, read_policies

Applying = Mapping[Kind, tuple[Area | None, EscalationPolicy]]


def register(group: typer.Typer) -> None:
    group.command("policy")(policy)


def policy(
    area_id: Annotated[str, typer.Argument(metavar="AREA", help="The area.")],
    file: Annotated[
        Path | None, typer.Option("--set", help="A JSON file with the list of its policies, as this command prints it.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who changes the roster; you, if not given.")] = None,
) -> None:
    """Show or set how a call widens in an area while too few answer.

    A policy has a name, the kinds of case it is for (none: all), the quorum that is enough, and its steps; the first
    step is the call that goes out at once, the last is repeated. An area without one keeps to that of the area above,
    and where none has one to the standard policy: what applies is printed, and below it, on stderr, from where it
    comes. A case keeps to the policy that it was opened under.

    Of each person's channels the best `at_once` ring first (1); each of the others follows after `fallback_seconds`
    (15) without delivery or answer, and at once where all that rang failed. A step with hand_over tells 110.

    Examples:

      dispatch roster policy maozhou

      dispatch roster policy maozhou --set policies.json

    with policies.json such as

      [{"name": "night", "quorum": {"neighbours": 2, "officers": 1},
        "steps": [{"call": ["group", "officers"], "within_seconds": 45},
                  {"call": ["again", "neighbour_leaders", "neighbour_officers"], "within_seconds": 60},
                  {"call": ["again", "station", "command_centre"], "within_seconds": 60}]}]
    """
    if file is not None:
        _print(asyncio.run(_set(AreaId(area_id), _read(file), name_here(by))))
        return
    area, applying = asyncio.run(_applying(AreaId(area_id)))
    _print(area.policies or list(dict.fromkeys(found for _, found in applying.values())))
    for line in origins(area, applying):
        typer.echo(line, err=True)


def origins(area: Area, applying: Applying) -> list[str]:
    """A line for each place other than `area` that policies come from: for which kinds of case, and from where."""
    standard = "标准预案（内置） the standard policy, built in: no area above has one either"
    kinds: dict[str, list[Kind]] = {}
    for kind, (of, _) in applying.items():
        if of is None:
            kinds.setdefault(standard, []).append(kind)
        elif of.id != area.id:
            kinds.setdefault(f"沿用{of.name}的预案 the policy of {of.id}, above it", []).append(kind)
    if len(kinds) == 1 and not area.policies:
        return [f"{area.id}: {where}" for where in kinds]
    return [f"{area.id}: {where} ({', '.join(of)})" for where, of in kinds.items()]


def _print(policies: Sequence[EscalationPolicy]) -> None:
    typer.echo(json.dumps(msgspec.to_builtins(policies), ensure_ascii=False, indent=2))


async def _applying(area_id: AreaId) -> tuple[Area, Applying]:
    from dispatch.fanout import policies_by_kind  # brings what sends, which other commands would wait for

    async with connected() as (nc, site):
        path = await Roster(nc, site).area_path(area_id)
    if not path:
        raise _unknown(area_id)
    return path[0], policies_by_kind(path)


async def _set(area_id: AreaId, new: tuple[EscalationPolicy, ...], by: str) -> tuple[EscalationPolicy, ...]:
    async with connected() as (nc, site):
        roster = Roster(nc, site)
        entry = await roster.entry("area", area_id)
        if entry is None or not isinstance(entry.document, Area):
            raise _unknown(area_id)
        await roster.put(replace(entry.document, policies=new), by=by, expected_revision=entry.revision)
        return new


def _unknown(area_id: AreaId) -> NotFound:
    return NotFound(f"there is no area {area_id[:80]!r}; `dispatch roster list area` shows those there are")


def _read(file: Path) -> tuple[EscalationPolicy, ...]:
    try:
        return read_policies(file.read_bytes(), str(file))
    except OSError as error:
        raise Malformed(f"{file}: cannot be read: {error.strerror}") from None
