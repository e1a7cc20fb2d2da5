"""Whom the call reaches next, by the roster as it is now: the same for the page at home and for the button."""

from __future__ import annotations

from dispatch.cases import Case, NextCall, next_call
from dispatch.errors import Unavailable
from dispatch.roster import Roster, is_mute, left_out_of
from dispatch.web.directory import Directory
from dispatch.web.names import Names


class Ahead:
    """Asks the roster for those who press; what it said is remembered for a few seconds."""

    def __init__(self, roster: Roster) -> None:
        self._directory = Directory(roster)

    async def of(self, case: Case) -> NextCall | None:
        """The next step of `case` that rings somebody, None where none does. Raises `Unavailable`."""
        names = await self._directory.names_for([case], aid=True)
        if case.id not in names.aid:
            raise Unavailable("the roster does not answer")
        return ahead(case, names)


def ahead(case: Case, names: Names) -> NextCall | None:
    """As `Ahead.of`, where `names` hold whom the steps to come can call."""
    out = left_out_of(names.households.get(case.alarm.household))
    mute = {person.id for person in names.people.values() if is_mute(person)}
    return next_call(case, {target: set(people) - out for target, people in names.aid[case.id].items()}, mute)
