"""The book of who was told: what somebody left behind, and what nobody can read."""

from __future__ import annotations

from nats.aio.client import Client

from dispatch.access import Bucket
from dispatch.events import TOLD
from dispatch.fanout.told import ToldBook
from dispatch.identifiers import PersonId, Site


async def test_what_was_left_behind_is_found_and_nothing_else(nc: Client, site: Site) -> None:
    book = ToldBook(nc, site)
    await book.leave(7, {(PersonId("p-1"), "sms")})
    assert await book.of(7) == {("p-1", "sms")}
    assert await book.of(8) == set()


async def test_where_another_version_wrote_what_nobody_can_read_nobody_was_told(nc: Client, site: Site) -> None:
    """Else the commit would fail each time, and be given up: then nobody would hear that they need not come."""
    for unreadable in (b'[["p-1", "a channel to come"]]', b"{", b"\xff"):
        await Bucket(nc, TOLD, direct=False).put(f"{site}.7", unreadable)
        assert await ToldBook(nc, site).of(7) == set()
