"""Cases: the board, one case, and what an operator does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.cases import AddNote, Case, Resolve
from dispatch.clock import now
from dispatch.errors import Refused
from dispatch.events import Kind, Resolution
from dispatch.identifiers import AreaId, PersonId
from dispatch.web.api.common import (
    FreshAsked,
    carried_out,
    caught_up,
    from_postgres,
    permitted_area,
    shown,
    visible_case,
)
from dispatch.web.case_view import CaseView
from dispatch.web.endpoint import Request
from dispatch.web.ports import Row
from dispatch.web.reading import Id, Sent, Text
from dispatch.web.views import known_to, viewer_of

OURS = {"responder_left_out", "household_stamped", "residents_spared"}
"""Of a timeline: what operators alone read."""
OF_SEVERAL = {"calls_recorded", "responders_called", "responders_stood_down", "fell_back"}
"""Of a timeline: what tells of several people, and without them of nothing."""
NOTES_PER_AUTHOR = 200
"""On one case. Every page that shows the case is sent all of its notes at each change."""


class CasesAsked(FreshAsked):
    status: Literal["open", "closed", "all"] = "open"
    area: Id | None = None
    kind: Kind | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[str | None, Field(max_length=200, description="`next` of the page before this one")] = None


class NoteSent(Sent):
    text: Annotated[Text, Field(min_length=1)]


class ResolveSent(Sent):
    resolution: Resolution
    text: Text = ""


class CasePage(TypedDict):
    cases: Sequence[dict[str, Any]]
    next: str | None


class Timeline(TypedDict):
    entries: Sequence[dict[str, Any]]


class Calls(TypedDict):
    calls: Sequence[dict[str, Any]]


async def list_cases(request: Request[None, CasesAsked]) -> CasePage:
    asked, deps = request.query, request.parts.deps
    area = await permitted_area(deps.roster, request.principal, AreaId(asked.area) if asked.area else None)
    await caught_up(request)
    rows, following = await from_postgres(
        deps.read_models.list_cases(
            status=asked.status, area=area, kind=asked.kind, limit=asked.limit, before=asked.before
        )
    )
    return {"cases": _plain(rows), "next": following}


async def show_case(request: Request[None, None]) -> CaseView:
    return await shown(request.parts, await visible_case(request), viewer_of(request.principal))


async def timeline(request: Request[None, FreshAsked]) -> Timeline:
    case, models = await visible_case(request), request.parts.deps.read_models
    known = known_to(request.principal, case)
    await caught_up(request, known)
    entries = await from_postgres(models.timeline(case.id))
    if request.principal.role != "operator":
        told = _as_known(entries, known) if known is not case else entries
        entries = [seen for entry in told if (seen := _without(entry, case.left_out)) is not None]
    return {"entries": _plain(entries)}


async def calls(request: Request[None, FreshAsked]) -> Calls:
    """Each call with what came of it; to those who live there none once the case is over to them."""
    case, models = await visible_case(request), request.parts.deps.read_models
    known = known_to(request.principal, case)
    await caught_up(request, known)
    rows = await from_postgres(models.calls(case.id)) if known is case else []
    hidden = set() if request.principal.role == "operator" else case.left_out
    return {"calls": _plain([row for row in rows if row["responder"] not in hidden])}


def _as_known(entries: Sequence[Mapping[str, Any]], known: Case) -> list[Mapping[str, Any]]:
    """The entries as they are read where the case seems cancelled."""
    seems = {"duress_signalled": "case_cancelled"}
    return [{**one, "type": seems.get(one["type"], one["type"])} for one in entries if one["seq"] <= known.seq]


def _without(entry: Mapping[str, Any], left_out: frozenset[PersonId]) -> Mapping[str, Any] | None:
    """An entry of a timeline as others than operators read it: nothing of those who are left out, nor where it stands
    in the log.

    None where nothing is left that it tells of, and for their notes, which may tell who they are.
    """
    data = entry["data"]
    wrote = str(data.get("author", "")).removeprefix("responder:")
    if entry["type"] in OURS or not left_out.isdisjoint((data.get("responder"), wrote)):
        return None
    kept = {
        name: [one for one in value if (one["responder"] if isinstance(one, dict) else one) not in left_out]
        for name, value in data.items()
        if name in {"calls", "outcomes", "responders", "to"} and isinstance(value, list)
    }
    if entry["type"] in OF_SEVERAL and not any(kept.values()) and not data.get("gaps"):
        return None
    return {name: value for name, value in entry.items() if name != "seq"} | {"data": {**data, **kept}}


async def add_note(request: Request[NoteSent, None]) -> CaseView:
    case = await visible_case(request)
    command = AddNote(id=request.once("note", case.id), at=now(), author=request.author, text=request.body.text)
    _require_room(case, command)
    return await carried_out(request, case, command)


async def resolve(request: Request[ResolveSent, None]) -> CaseView:
    case, sent = await visible_case(request), request.body
    command = Resolve(
        id=request.once("resolve", case.id),
        at=now(),
        by=request.author,
        resolution=sent.resolution,
        text=sent.text,
    )
    return await carried_out(request, case, command)


def _require_room(case: Case, command: AddNote) -> None:
    written = sum(note.author == command.author for note in case.notes)
    if written >= NOTES_PER_AUTHOR and command.id not in case.commits:
        raise Refused(
            f"text: you have written {written} notes on case {case.id}, and {NOTES_PER_AUTHOR} is the limit for one "
            "author; let a colleague note it, or write it into the closing",
            field="text",
            limit=NOTES_PER_AUTHOR,
        )


def _plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]
