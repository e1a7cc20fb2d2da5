"""Leaving somebody out of the calls for a household, and taking that back: the trail first, then the roster."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from dispatch.errors import Malformed, NotFound
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.roster.audit import Audit, Audited
from dispatch.roster.documents import Household, LeftOut, left_out_of
from dispatch.roster.store import Roster

MOST_LEFT_OUT = 50
LONGEST_REASON = 500


async def leave_out(
    roster: Roster, audit: Audit, household: HouseholdId, person: PersonId, *, by: str, at: datetime, reason: str
) -> Household:
    """The household without `person` in its calls, `by` whom, `at` what time and for what `reason`.

    Said again for another reason, or by another, it is so from now on; the trail keeps what was said before. Cases
    that are open are for the caller to tell.
    Raises `NotFound` for a household or person that is not in the roster, `Malformed` without a reason, `Unavailable`.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Malformed(f"reason: say why, in {LONGEST_REASON} characters at most", field="reason")
    home = await _household(roster, household)
    new = LeftOut(person=person, by=by, at=at, reason=reason.strip())
    if any(_says(one, new) for one in home.left_out):  # sent again
        return home
    if person not in left_out_of(home) and len(home.left_out) >= MOST_LEFT_OUT:
        raise Malformed(
            f"{MOST_LEFT_OUT} people are left out for {household!r} already; take some back", field="person"
        )
    if not await roster.people([person]):
        raise NotFound(f"there is no person {person[:80]!r} in the roster", field="person")
    await audit.write(Audited(what="left_out", household=household, person=person, by=by, at=at, reason=new.reason))

    def change(known: Household) -> Household:
        others = tuple(one for one in known.left_out if one.person != person)
        return replace(known, left_out=(*others, new))

    return await roster.update_household(household, change, by)


async def let_in(
    roster: Roster, audit: Audit, household: HouseholdId, person: PersonId, *, by: str, at: datetime, reason: str = ""
) -> Household:
    """The household with `person` in its calls again, from its next case on.

    Raises `NotFound` for one who is not left out, and as `leave_out` does.
    """
    if person not in left_out_of(await _household(roster, household)):
        raise NotFound(f"{person[:80]!r} is not left out for household {household!r}", field="person")
    await audit.write(Audited(what="let_in", household=household, person=person, by=by, at=at, reason=reason.strip()))

    def change(known: Household) -> Household:
        return replace(known, left_out=tuple(one for one in known.left_out if one.person != person))

    return await roster.update_household(household, change, by)


def _says(known: LeftOut, new: LeftOut) -> bool:
    return (known.person, known.by, known.reason) == (new.person, new.by, new.reason)


async def _household(roster: Roster, household: HouseholdId) -> Household:
    found = await roster.household(household)
    if found is None:
        raise NotFound(f"there is no household {household[:80]!r} in the roster", field="household")
    return found
