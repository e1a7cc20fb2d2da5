"""The book of incidents on a real nats-server: a storm's many are written at once, and each costs one message."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client

from dispatch.clock import now
from dispatch.events import Incident, IncidentBook
from dispatch.fanout.incidents import Incidents
from dispatch.identifiers import Site


def incident(what: str, detail: str = "owed") -> Incident:
    return Incident(kind="owed", what=what, since=now(), detail=detail)


async def test_what_is_told_changed_and_over_is_so_in_the_book(nc: Client, site: Site) -> None:
    kept, book = Incidents(nc, site), IncidentBook(nc, site)
    many = {one.name: one for one in (incident(f"h-{number}") for number in range(300))}
    await kept.are(many.values())
    assert await book.told("owed.>") == many
    changed = incident("h-7", "owed by two")
    await kept.are([changed])
    assert await book.told("owed.>") == {changed.name: changed}
    await Incidents(nc, site).are([])
    assert await book.told("owed.>") == {}


@pytest.mark.parametrize("kind", ["owed", "late", "waiting", "backlog", "intake", "rubbish", "silent", "channel"])
async def test_what_an_earlier_run_told_is_over_with_it(nc: Client, site: Site, kind: str) -> None:
    book = IncidentBook(nc, site)
    await book.tell(Incident(kind=kind, what="h-1", since=now(), detail=kind))
    await Incidents(nc, site).are([])
    assert await book.told() == {}


async def test_each_costs_one_message(nc: Client, site: Site) -> None:
    book = IncidentBook(nc, site)
    before = nc.stats["out_msgs"]
    await book.tell(incident("h-1"))
    await book.over("owed.h-1")
    assert nc.stats["out_msgs"] - before == 2


async def test_none_waits_for_another(nc: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, both = Incidents(nc, site), asyncio.Barrier(2)

    async def tell(_book: IncidentBook, _incident: Incident) -> None:
        await both.wait()

    monkeypatch.setattr(IncidentBook, "tell", tell)
    async with asyncio.timeout(20):
        await kept.are([incident("h-1"), incident("h-2")])
