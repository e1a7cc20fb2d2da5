"""Reachability: one row per person and case, with when they were last proven to be reached. Drills prove it as well.

What an older system says proves nothing: that is not how they are reached here.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.cases import OUTCOME_RANK
from dispatch.events import CallsRecorded, Event, ResponderReplied
from dispatch.identifiers import CaseId, PersonId, Site
from dispatch.projections.projection import Change, Projection

PROOFS = frozenset(outcome for outcome, rank in OUTCOME_RANK.items() if rank >= OUTCOME_RANK["delivered"])


class ReachabilityRow(msgspec.Struct, frozen=True, kw_only=True):
    """A person, and a time at which a phone said that it rang, or they answered. The table keeps the latest."""

    site: Site
    responder: PersonId
    case_id: CaseId
    proven_at: datetime


def rows(change: Change) -> list[ReachabilityRow]:
    """The latest proof of each person whom these commits reach."""
    if change.case.is_imported:
        return []
    latest: dict[PersonId, datetime] = {}
    for commit in change.commits:
        for event in commit.events:
            for person, at in _proofs(event):
                known = latest.get(person)
                if known is None or known < at:
                    latest[person] = at
    case = change.case.alarm.case
    return [
        ReachabilityRow(site=change.site, responder=person, case_id=case, proven_at=at) for person, at in latest.items()
    ]


def _proofs(event: Event) -> list[tuple[PersonId, datetime]]:
    match event:
        case CallsRecorded():
            return [(outcome.responder, outcome.at) for outcome in event.outcomes if outcome.outcome in PROOFS]
        case ResponderReplied():
            return [(event.responder, event.at)]
        case _:
            return []


PROJECTION = Projection.beside(__file__, rows)
