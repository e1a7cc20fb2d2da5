"""A row as what it says: a document of the roster, or a shift at a post."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar, get_args
from urllib.parse import urlsplit

import msgspec

from dispatch.events import Role
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId
from dispatch.roster.apprise_urls import NotUsable, usable
from dispatch.roster.documents import (
    MAX_BOUND_NUMBERS,
    ApprisePoint,
    Area,
    Document,
    Duty,
    Group,
    Household,
    Person,
    Post,
    SmsPoint,
    WebhookPoint,
)
from dispatch.roster.imports.cells import HIDDEN, Cells
from dispatch.roster.imports.columns import Layout, SheetKind
from dispatch.roster.imports.files import Row
from dispatch.roster.imports.problems import Problem

_AREA_KINDS = {
    "county": "county", "县": "county", "区": "county",
    "township": "township", "镇": "township", "乡": "township", "街道": "township",
    "village": "village", "村": "village", "社区": "village",
    "grid": "grid", "网格": "grid",
}  # fmt: skip

_POST_ROLES: dict[str, Role] = {
    "police_assistant": "police_assistant", "警务助理": "police_assistant",
    "auxiliary_officer": "auxiliary_officer", "辅警": "auxiliary_officer",
    "community_police_officer": "community_police_officer", "社区民警": "community_police_officer",
    "station": "station", "派出所": "station",
    "command_centre": "command_centre", "指挥中心": "command_centre",
    "emergency_centre": "emergency_centre", "110指挥中心": "emergency_centre", "110": "emergency_centre",
}  # fmt: skip

_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix is no secret
_SECRET_BYTES = range(24, 65)

T = TypeVar("T")


class Shift(msgspec.Struct, frozen=True):
    """A row of a duty sheet."""

    post: PostId
    duty: Duty


class Record(msgspec.Struct, frozen=True):
    """What a row says; `cells` can still say where that stood."""

    kind: SheetKind
    content: Document | Shift
    cells: Cells

    @property
    def is_readable(self) -> bool:
        """Whether nothing is wrong with its cells."""
        return not self.cells.problems

    @property
    def id(self) -> str:
        return self.content.post if isinstance(self.content, Shift) else self.content.id


def read_record(layout: Layout, row: Row) -> tuple[Record | None, list[Problem]]:
    """What `row` says as far as it can be read, and everything that is wrong with its cells."""
    cells = Cells(layout, row)
    try:
        content = _READERS[layout.kind](cells)
    except msgspec.ValidationError as error:
        cells.wrong("", str(error), "correct the row")
        return None, cells.problems
    return Record(layout.kind, content, cells), cells.problems


def _area(cells: Cells) -> Area:
    return Area(
        id=AreaId(cells.id("id", required=True) or ""),
        name=cells.text("name", required=True),
        kind=cells.choice("kind", _AREA_KINDS) or "village",  # type: ignore[arg-type]
        parent=_or_none(AreaId, cells.id("parent")),
        response_target_seconds=cells.whole("response_target_seconds"),
        neighbours=tuple(AreaId(area) for area in cells.ids("neighbours")),
    )


def _person(cells: Cells) -> Person:
    phone, webhook = cells.phone("phone", required=True), _webhook(cells)
    mobile = cells.mobile("sms", instead=phone)
    texts = SmsPoint(number=mobile) if mobile else None
    return Person(
        id=PersonId(cells.id("id", required=True) or ""),
        name=cells.text("name", required=True),
        phone=phone,
        contact_points=(*(point for point in (webhook, texts) if point is not None), *_apprise(cells)),
    )


def _webhook(cells: Cells) -> WebhookPoint | None:
    url, secret = cells.text("webhook", longest=1000), cells.text("webhook_secret")
    if not url and not secret:
        return None
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        cells.wrong("webhook", "is not the address of a web server", "write it like https://example.org/calls")
    if not _is_webhook_secret(secret):
        cells.wrong(
            "webhook_secret",
            "is no secret of Standard Webhooks",
            "write whsec_ and 24 to 64 bytes in base64",
            value="…",
        )
    return WebhookPoint(url=url, secret=secret)


def _apprise(cells: Cells) -> tuple[ApprisePoint, ...]:
    urls = cells.secrets("apprise")
    for place, url in enumerate(urls, start=1):
        try:
            usable(url)
        except NotUsable as error:
            which = f"no. {place} of {len(urls)} " if len(urls) > 1 else ""
            advice = "write Apprise URLs such as ntfys://ntfy.example.org/topic (docs/roster.md), or remove it"
            cells.wrong("apprise", f"{which}{error.detail}", advice, value=HIDDEN)
    return tuple(ApprisePoint(url=url) for url in urls)


def _is_webhook_secret(value: str) -> bool:
    try:
        key = base64.b64decode(value.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return value.startswith(_SECRET_PREFIX) and len(key) in _SECRET_BYTES


def _group(cells: Cells) -> Group:
    leader, members = cells.id("leader"), cells.ids("members", required=True)
    bound = members if leader is None or leader in members else (leader, *members)
    twice = sorted({member for member in bound if bound.count(member) > 1})
    if twice:
        cells.wrong("members", "names somebody twice", f"remove one {', '.join(twice)}")
    if len(bound) > MAX_BOUND_NUMBERS:
        cells.wrong(
            "members",
            f"binds {len(bound)} numbers with the leader's; a group has at most {MAX_BOUND_NUMBERS}",
            "make two groups of it",
        )
    return Group(
        id=GroupId(cells.id("id", required=True) or ""),
        name=cells.text("name", required=True),
        area=AreaId(cells.id("area", required=True) or ""),
        members=tuple(PersonId(member) for member in bound),
        leader=_or_none(PersonId, leader),
        neighbours=tuple(GroupId(group) for group in cells.ids("neighbours")),
    )


def _post(cells: Cells) -> Post:
    return Post(
        id=PostId(cells.id("id", required=True) or ""),
        name=cells.text("name", required=True),
        area=AreaId(cells.id("area", required=True) or ""),
        role=cells.choice("role", _POST_ROLES) or get_args(Role)[0],
    )


def _shift(cells: Cells) -> Shift:
    start, end = cells.moment("start"), cells.moment("end")
    if start is not None and end is not None and end <= start:
        cells.wrong("end", "is not after the start", "correct one of them")
    person = PersonId(cells.id("person", required=True) or "")
    return Shift(PostId(cells.id("post", required=True) or ""), Duty(person=person, start=start, end=end))


def _household(cells: Cells) -> Household:
    return Household(
        id=HouseholdId(cells.id("id", required=True) or ""),
        name=cells.text("name", required=True),
        address=cells.text("address", required=True),
        area=AreaId(cells.id("area", required=True) or ""),
        group=_or_none(GroupId, cells.id("group")),
        phone=cells.phone("phone"),
        note=cells.text("note", longest=1000),
        residents=tuple(PersonId(person) for person in dict.fromkeys(cells.ids("residents"))),
    )


def _or_none(new: Callable[[str], T], value: str | None) -> T | None:
    return None if value is None else new(value)


_READERS: dict[SheetKind, Callable[[Cells], Document | Shift]] = {
    "area": _area,
    "person": _person,
    "group": _group,
    "post": _post,
    "duty": _shift,
    "household": _household,
}
