"""What an operator does by hand about who comes, the same at the desk and on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dispatch.cases import Case
from dispatch.errors import Refused
from dispatch.events import Gap, PlannedCall, Reason
from dispatch.identifiers import PersonId
from dispatch.roster import Person, Roster, aid_list, every_channel_of, left_out_of

PAUSE_MINUTES, LONGEST_PAUSE_MINUTES = 5, 30
LONGEST_ETA_MINUTES = 240


def call_by_name(person: Person, by: str) -> PlannedCall:
    """The call of `person`, asked for by `by`: over every channel they have."""
    return PlannedCall(responder=person.id, reasons=(Reason("asked", by),), channels=every_channel_of(person))


async def calls_to_110(roster: Roster, case: Case, at: datetime) -> tuple[tuple[PlannedCall, ...], tuple[Gap, ...]]:
    """The calls of those at the post of 110, over every channel, and what is missing there. Raises `Unavailable`."""
    alarm = case.alarm
    out = left_out_of(await roster.household(alarm.household))
    called, gaps = await aid_list(roster, ["hand_over"], alarm.group, alarm.areas, at, left_out=out)
    calls = (
        PlannedCall(responder=one.person.id, reasons=one.reasons, channels=every_channel_of(one.person))
        for one in called
    )
    return tuple(calls), gaps


def require_called(case: Case, people: Sequence[PersonId]) -> None:
    """Raises `Refused` where one of `people` was not called for the case."""
    if strangers := [person for person in people if person not in case.called()]:
        raise Refused(f"responders: {strangers[0]!r} was not called for case {case.id}", field="responders")
