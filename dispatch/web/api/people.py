"""Finding a person whom an operator wants to call: by name, number, telephone, group or post."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, cast

from pydantic import Field
from typing_extensions import TypedDict

from dispatch.identifiers import PersonId
from dispatch.roster import Person, Places, who_has_to_do_with
from dispatch.web.api.households import LEAST_DIGITS, MOST, SECONDS
from dispatch.web.endpoint import Request
from dispatch.web.reading import Sent


class PeopleAsked(Sent):
    q: Annotated[str, Field(min_length=1, max_length=100)]


class FoundPerson(TypedDict):
    id: str
    name: str
    phone: str | None
    of: list[str]
    """Their groups and posts, in words."""


class PeopleFound(TypedDict):
    people: list[FoundPerson]
    complete: bool


async def find_people(request: Request[None, PeopleAsked]) -> PeopleFound:
    """People whom the operator may call by name, with every word of `q` in number, name, group or post, or `q` in the
    telephone.

    Whoever is on a case that they may see is found in any roster, however large. `complete` as for households.
    """
    parts, area = request.parts, request.principal.area
    words = request.query.q.casefold().split()
    found: dict[PersonId, FoundPerson] = {}

    def keep(person: Person, places: Places) -> None:
        of = places.get(person.id, [])
        if _is_meant(person, of, words):
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


def _is_meant(person: Person, of: list[str], words: list[str]) -> bool:
    said = " ".join((person.id, person.name, *of)).casefold()
    number = "".join(words)
    by_phone = len(number) >= LEAST_DIGITS and number in (person.phone or "")
    return by_phone or all(word in said for word in words)
