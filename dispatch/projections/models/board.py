"""The board: one row per case, as it is now."""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.cases import Case, Status
from dispatch.events import Kind, Resolution, Source
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, Site
from dispatch.projections.projection import Change, Projection


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A case on the board. `reached`: responders whose phone confirmed the call, or who answered."""

    site: Site
    case_id: CaseId
    seq: int
    household: HouseholdId
    areas: tuple[AreaId, ...]
    group_id: GroupId | None
    kind: Kind
    status: Status
    is_open: bool
    silent: bool
    duress: bool
    drill: bool
    source: Source
    device: str
    pressed_at: datetime
    accepted_at: datetime
    raised_at: datetime
    last_pressed_at: datetime
    presses: int
    called: int
    reached: int
    coming: int
    on_scene: int
    cannot: int
    nearest_eta_at: datetime | None
    first_called_at: datetime | None
    first_delivered_at: datetime | None
    first_answered_at: datetime | None
    first_going_at: datetime | None
    first_on_scene_at: datetime | None
    gaps: int
    notes: int
    closed_at: datetime | None
    closed_by: str | None
    resolution: Resolution | None
    closing_text: str | None


def rows(change: Change) -> list[BoardRow]:
    return [board_row(change.site, change.case)]


def board_row(site: Site, case: Case) -> BoardRow:
    """What the board shows of a case that has begun."""
    alarm, firsts, closing = case.alarm, case.firsts, case.closing
    answers = [reply.answer for reply in case.replies.values()]
    return BoardRow(
        site=site,
        case_id=alarm.case,
        seq=case.seq,
        household=alarm.household,
        areas=alarm.areas,
        group_id=alarm.group,
        kind=case.kind,
        status=case.status,
        is_open=case.is_open,
        silent=case.silent,
        duress=case.is_under_duress,
        drill=case.drill,
        source=alarm.source,
        device=alarm.device,
        pressed_at=alarm.pressed_at,
        accepted_at=alarm.accepted_at,
        raised_at=alarm.at,
        last_pressed_at=case.last_pressed_at or alarm.accepted_at,
        presses=len(case.presses),
        called=len(case.called()),
        reached=len(reached(case)),
        coming=answers.count("going"),
        on_scene=answers.count("on_scene"),
        cannot=answers.count("cannot"),
        nearest_eta_at=case.nearest_eta_at,
        first_called_at=firsts.called,
        first_delivered_at=firsts.delivered,
        first_answered_at=firsts.answered,
        first_going_at=firsts.going,
        first_on_scene_at=firsts.on_scene,
        gaps=len(case.gaps),
        notes=len(case.notes),
        closed_at=closing.at if closing else None,
        closed_by=closing.by if closing else None,
        resolution=closing.resolution if closing else None,
        closing_text=closing.text if closing else None,
    )


def reached(case: Case) -> set[PersonId]:
    """Responders who are known to have the call: their phone said so, or they answered."""
    confirmed = {
        call.responder
        for call in case.taking_part()
        for outcome in call.outcomes.values()
        if outcome.outcome in {"delivered", "seen"}
    }
    return confirmed | case.replies.keys()


PROJECTION = Projection.beside(__file__, rows)
