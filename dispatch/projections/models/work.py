"""The work: what a case asked of each group and of the officers, and what came of it. See docs/LATENCY.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from dispatch.events import Kind
from dispatch.identifiers import AreaId, CaseId, PersonId, Site
from dispatch.projections.models.responses import IN_GROUP, NOTHING_YET, first_calls, group_of, touched
from dispatch.projections.projection import Change, Projection

Share = tuple[str, bool]
"""Of a group, '' for none, and whether they were called as officers."""


class WorkRow(msgspec.Struct, frozen=True, kw_only=True):
    """The responders of a case who were called for the same group and in the same capacity, without those left out.

    How many of them came to each step, and the seconds between two, of those who came to both, in order.
    """

    site: Site
    case_id: CaseId
    group_id: str
    officers: bool
    areas: tuple[AreaId, ...]
    kind: Kind
    drill: bool
    accepted_at: datetime
    called: int
    rung: int
    delivered: int
    answered: int
    going: int
    on_scene: int
    cannot: int
    called_to_answered: list[float]
    called_to_on_scene: list[float]
    called_to_delivered: list[float]
    delivered_to_answered: list[float]
    going_to_on_scene: list[float]
    responders: list[PersonId]


def rows(change: Change) -> list[WorkRow]:
    """Rows of the shares to which somebody belongs whom these commits touch."""
    shares: dict[Share, list[PersonId]] = {}
    of: dict[PersonId, Share] = {}
    for responder, call in first_calls(change.case).items():
        # Steps only go up, so that the first call of a responder, and with it their share, never changes.
        as_officer = bool(call.reasons) and call.reasons[0].role not in IN_GROUP
        of[responder] = share = (group_of(call.reasons) or "", as_officer)
        shares.setdefault(share, []).append(responder)
    written = {of[responder]: None for responder in touched(change) if responder in of}
    return [_row(change, share, shares[share]) for share in written]


def _row(change: Change, share: Share, people: Iterable[PersonId]) -> WorkRow:
    case, alarm = change.case, change.case.alarm
    people = sorted(person for person in people if person not in case.left_out)
    times = [case.reached.get(person, NOTHING_YET) for person in people]
    called, delivered = [one.called for one in times], [one.delivered for one in times]
    answered, going = [one.answered for one in times], [one.going for one in times]
    on_scene = [one.on_scene for one in times]
    replies = [reply for person in people if (reply := case.replies.get(person)) is not None]
    return WorkRow(
        site=change.site,
        case_id=alarm.case,
        group_id=share[0],
        officers=share[1],
        areas=alarm.areas,
        kind=case.kind,
        drill=alarm.drill,
        accepted_at=alarm.accepted_at,
        called=len(people),
        rung=len(people) - called.count(None),
        delivered=len(people) - delivered.count(None),
        answered=len(people) - answered.count(None),
        going=len(people) - going.count(None),
        on_scene=len(people) - on_scene.count(None),
        cannot=sum(reply.answer == "cannot" for reply in replies),
        called_to_answered=_seconds(called, answered),
        called_to_on_scene=_seconds(called, on_scene),
        called_to_delivered=_seconds(called, delivered),
        delivered_to_answered=_seconds(delivered, answered),
        going_to_on_scene=_seconds(going, on_scene),
        responders=people,
    )


def _seconds(since: Sequence[datetime | None], until: Sequence[datetime | None]) -> list[float]:
    """As the generated columns of `responses` have them: microseconds, divided once."""
    both = zip(since, until, strict=True)
    return sorted([(end - begin).total_seconds() for begin, end in both if end is not None and begin is not None])


PROJECTION = Projection.beside(__file__, rows)
