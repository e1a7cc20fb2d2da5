"""Households: finding one, its PINs, and who is left out of its calls."""

from __future__ import annotations

from dispatch.web.api import confidence, households
from dispatch.web.api.searching import SearchAsked
from dispatch.web.endpoint import Route
from dispatch.web.routes.bounds import OPERATOR, SMALL

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/households",
        handler=households.find_households,
        roles=OPERATOR,
        query=SearchAsked,
        answer=households.HouseholdsFound,
        summary="Households of the operator's area, by number, name, address or telephone",
    ),
    Route(
        method="POST",
        path="/v1/households/{id}/pin",
        handler=confidence.change_pins,
        roles=OPERATOR,
        body=confidence.PinsSent,
        answer=confidence.PinsSet,
        max_body=SMALL,
        summary="Set or take away the PIN with which the household cancels, and its duress PIN",
    ),
    Route(
        method="GET",
        path="/v1/households/{id}/left-out",
        handler=confidence.show_left_out,
        roles=OPERATOR,
        answer=confidence.LeftOutTrail,
        summary="Who is left out of the calls for a household, and who ever was, by whom and why",
    ),
    Route(
        method="POST",
        path="/v1/households/{id}/left-out",
        handler=confidence.leave_person_out,
        roles=OPERATOR,
        body=confidence.LeaveOutSent,
        answer=confidence.LeftOutTrail,
        max_body=SMALL,
        summary="Leave somebody out of the calls for a household, also of those under way",
    ),
    Route(
        method="DELETE",
        path="/v1/households/{id}/left-out/{person}",
        handler=confidence.let_person_in,
        roles=OPERATOR,
        answer=confidence.LeftOutTrail,
        summary="Take that back, from the household's next case on",
    ),
)
