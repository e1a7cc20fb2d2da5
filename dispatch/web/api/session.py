"""Signing a page in and out, and who it is."""

from __future__ import annotations

from typing import Annotated, NotRequired

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from dispatch.access import Principal, TokenRole
from dispatch.identifiers import HouseholdId, PersonId
from dispatch.web.access import cookie_name
from dispatch.web.endpoint import Request, json_response
from dispatch.web.parts import Parts
from dispatch.web.reading import Sent

COOKIE_SECONDS = 400 * 24 * 3600
"""As long as browsers keep a cookie at all (RFC 6265bis, 5.5); the token inside may end sooner."""

PAGES = {"device": "resident", "responder": "responder", "operator": "desk"}


class SessionSent(Sent):
    token: Annotated[str, Field(min_length=1, max_length=512)]


class Session(TypedDict):
    role: TokenRole
    subject: str
    page: str


class Me(TypedDict):
    role: TokenRole
    subject: str
    name: str
    area: str | None
    in_roster: NotRequired[bool]
    """Of a device and a responder: whether there is anybody of that name to call, or to call for."""
    household: NotRequired[str]
    pin: NotRequired[bool]
    """Of a device: whether its household's PIN is asked for when it cancels."""
    vapid_public_key: NotRequired[str]


async def sign_in(request: Request[SessionSent, None]) -> web.Response:
    parts = request.parts
    parts.gate.same_origin(request.http)
    principal = await parts.gate.check(request.http, request.body.token)
    answer: Session = {"role": principal.role, "subject": principal.subject, "page": page_of(principal)}
    response = json_response(answer)
    response.set_cookie(
        cookie_name(principal.role, principal.subject),
        request.body.token,
        max_age=COOKIE_SECONDS,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_secure(parts),
    )
    return response


async def sign_out(request: Request[None, None]) -> web.Response:
    principal = request.principal
    answer: Session = {"role": principal.role, "subject": principal.subject, "page": "/"}
    response = json_response(answer)
    response.del_cookie(
        cookie_name(principal.role, principal.subject),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_secure(request.parts),
    )
    return response


async def me(request: Request[None, None]) -> Me:
    parts, principal = request.parts, request.principal
    answer: Me = {
        "role": principal.role,
        "subject": principal.subject,
        "name": principal.label or principal.subject,
        "area": principal.area,
    }
    if principal.role == "device":
        answer["household"] = principal.subject
        household = await parts.deps.roster.household(HouseholdId(principal.subject))
        answer["area"] = household.area if household else None
        answer["name"] = (household.name if household else "") or answer["name"]
        answer["in_roster"] = household is not None
        answer["pin"] = household is not None and household.pin is not None
    elif principal.role == "responder":
        answer["vapid_public_key"] = parts.deps.keys.vapid_public
        person = (await parts.deps.roster.people([PersonId(principal.subject)])).get(PersonId(principal.subject))
        answer["name"] = person.name if person else answer["name"]
        answer["in_roster"] = person is not None
    return answer


def page_of(principal: Principal) -> str:
    """The path of the principal's own page."""
    page = PAGES.get(principal.role)
    return f"/{page}/{principal.subject}" if page else "/"


def _secure(parts: Parts) -> bool:
    return parts.deps.settings.url.startswith("https://")
