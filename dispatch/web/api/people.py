"""Finding a person whom an operator wants to call: by name, number, telephone, group or post."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from typing_extensions import TypedDict

from dispatch.identifiers import PersonId
from dispatch.roster import Person, Places, who_has_to_do_with
from dispatch.web.api.searching import MOST, SECONDS, SearchAsked, is_meant
from dispatch.web.endpoint import Request


class FoundPerson(TypedDict):
    id: str
    name: str
    phone: str | None
    of: list[str]
    """Their groups and posts, in words."""


class PeopleFound(TypedDict):
    people: list[FoundPerson]
    complete: bool


async def find_people(request: Request[None, SearchAsked]) -> PeopleFound:
    """People whom the operator may call by name, with every word of `q` in number, name, group or post, or `q` in the
    telephone.

    Whoever is on a case that they may see is found in any roster, however large. `complete` as for households.
    """
    parts, area = request.parts, request.principal.area
    found: dict[PersonId, FoundPerson] = {}

    def keep(person: Person, places: Places) -> None:
        of = places.get(person.id, [])
        if is_meant(request.query.words, person.phone, person.id, person.name, *of):
            found[person.id] = {"id": person.id, "name": person.name, "phone": person.phone, "of": of}

    at_hand = {call.responder for case in parts.board.visible(request.principal) for call in case.calls.values()}
    for person in (await parts.deps.roster.people(at_hand)).values():
        keep(person, {})
    complete = False
    try:
        async with asyncio.timeout(SECONDS), parts.searching:
            places = await who_has_to_do_with(parts.deps.roster, area)
            read = cast("AsyncGenerator[Person]", parts.deps.roster.as_read("person"))
            async with aclosing(read) as everybody:
                async for person in everybody:
                    if area is None or person.id in places or person.id in at_hand:
                        keep(person, places)
                    if len(found) >= MOST:
                        break
                else:
                    complete = True
    except TimeoutError:
        pass
    return {"people": list(found.values())[:MOST], "complete": complete}
