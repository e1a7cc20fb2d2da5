"""People: finding one to call."""

from __future__ import annotations

from dispatch.web.api import people
from dispatch.web.api.searching import SearchAsked
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/people",
        handler=people.find_people,
        roles=OPERATOR,
        query=SearchAsked,
        answer=people.PeopleFound,
        summary="People whom the operator may call, by number, name, group, post or telephone",
    ),
)
