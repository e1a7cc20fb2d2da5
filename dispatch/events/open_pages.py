"""What each `serve` says of the pages that are open there, so that a call asks only those who may have one."""

from __future__ import annotations

from typing import Final

import msgspec

from dispatch.errors import Unreadable
from dispatch.events.press import UNREADABLE
from dispatch.identifiers import PersonId, Site

SAID_EVERY_SECONDS: Final = 2.0
"""How often each `serve` says all of it again, so that whoever listens anew soon knows."""


class OpenPages(msgspec.Struct, frozen=True, kw_only=True):
    """At the process `at` the responders `people` have a page open: all who do, or with `more` some beside the others.

    Who has just closed theirs may be among them.
    """

    at: str
    people: frozenset[PersonId]
    more: bool = False


def open_pages_subject(site: Site | str) -> str:
    """Where it is said."""
    return f"live.{site}.pages"


def decode_open_pages(body: bytes) -> OpenPages:
    """Raises `Unreadable`."""
    try:
        return msgspec.json.decode(body, type=OpenPages)
    except UNREADABLE as error:
        raise Unreadable(f"word of open pages that cannot be read: {error}") from None
