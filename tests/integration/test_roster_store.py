"""The roster on a real server: reads by key, writes by compare-and-set, and call lists from what was written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from dispatch.errors import Malformed, NotFound, Oversized, Unavailable
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId, Site
from dispatch.roster import (
    Area,
    Document,
    Duty,
    Group,
    Household,
    Person,
    Post,
    Roster,
    RosterConflict,
    WebPushPoint,
    call_list,
)
from dispatch.roster.demo import demo_cast, seed_demo

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def roster(nc: Client, site: Site) -> Roster:
    return Roster(nc, site, clock=lambda: NOW)


def person(person_id: str = "p-1", **fields: object) -> Person:
    return msgspec.structs.replace(Person(id=PersonId(person_id), name="段学文"), **fields)


def area(name: str, parent: str | None = None) -> Area:
    return Area(id=AreaId(name), name=name, kind="village", parent=AreaId(parent) if parent else None)


DOCUMENTS: list[tuple[str, Document]] = [
    ("area", area("a", "b")),
    ("person", person(phone="+8619900000001")),
    ("group", Group(id=GroupId("g"), name="一组", area=AreaId("a"), members=(PersonId("p-1"),))),
    ("household", Household(id=HouseholdId("h"), name="李家", address="一号", area=AreaId("a"))),
    (
        "post",
        Post(
            id=PostId("x"), area=AreaId("a"), role="station", name="所", duty=(Duty(person=PersonId("p-1"), end=NOW),)
        ),
    ),
]


@pytest.mark.parametrize(("kind", "document"), DOCUMENTS)
async def test_what_is_put_is_read_back_with_who_and_when(roster: Roster, kind: str, document: Document) -> None:
    revision = await roster.put(document, by="王芳")
    entry = await roster.entry(kind, document.id)  # type: ignore[arg-type]
    assert entry is not None
    assert (entry.document, entry.revision, entry.by, entry.at) == (document, revision, "王芳", NOW)
    assert [found async for found in roster.all(kind)] == [document]  # type: ignore[arg-type]


async def test_many_are_read_at_once_and_those_that_are_not_there_are_left_out(roster: Roster) -> None:
    for n in range(3):
        await roster.put(person(f"p-{n}"), by="test")
    ids = [PersonId(name) for name in ("p-0", "p-2", "p-9", "", "*", "a.b", "p-0 ")]
    assert set(await roster.people(ids)) == {"p-0", "p-2"}


async def test_a_site_sees_its_own_documents_alone(roster: Roster, nc: Client) -> None:
    await roster.put(person(), by="test")
    other = Roster(nc, f"{roster.site}x")
    assert await other.people([PersonId("p-1")]) == {}
    assert await other.is_empty()
    assert not await roster.is_empty()


async def test_a_change_of_an_old_revision_is_refused(roster: Roster) -> None:
    first = await roster.put(person(), by="one", expected_revision=0)
    await roster.put(person(name="新名"), by="two", expected_revision=first)
    for stale in (first, 0):
        with pytest.raises(RosterConflict):
            await roster.put(person(name="旧名"), by="three", expected_revision=stale)
    assert (await roster.people([PersonId("p-1")]))[PersonId("p-1")].name == "新名"


async def test_what_was_deleted_is_gone_and_can_be_made_anew(roster: Roster) -> None:
    await roster.put(DOCUMENTS[4][1], by="test")
    await roster.put(person(), by="test")
    for kind, name in (("post", "x"), ("person", "p-1")):
        entry = await roster.entry(kind, name)  # type: ignore[arg-type]
        assert entry is not None
        await roster.delete(entry)
        with capture_logs() as logged:
            assert await roster.entry(kind, name) is None  # type: ignore[arg-type]
        assert logged == []
        await roster.put(entry.document, by="test", expected_revision=0)
    assert await roster.posts_of([AreaId("a")]) == [DOCUMENTS[4][1]]


async def test_posts_are_those_of_the_areas_asked_for_nearest_first(roster: Roster) -> None:
    for place in ("v", "t", "elsewhere"):
        await roster.put(Post(id=PostId(f"x-{place}"), area=AreaId(place), role="station", name="所"), by="test")
    assert [post.id for post in await roster.posts_of([AreaId("v"), AreaId("t"), AreaId("none")])] == ["x-v", "x-t"]
    assert [post.id for post in await roster.posts_of([AreaId("t"), AreaId("v")])] == ["x-t", "x-v"]


async def test_a_path_of_areas_ends_at_the_top_or_where_it_closes(roster: Roster) -> None:
    for document in (area("v", "t"), area("t", "c"), area("c"), area("x", "y"), area("y", "x"), area("o", "gone")):
        await roster.put(document, by="test")
    for _ in range(2):  # the second time from what the first one learnt
        assert [step.id for step in await roster.area_path(AreaId("v"))] == ["v", "t", "c"]
        assert [step.id for step in await roster.area_path(AreaId("x"))] == ["x", "y"]
        assert [step.id for step in await roster.area_path(AreaId("o"))] == ["o"]
        assert await roster.area_path(AreaId("none")) == ()


async def test_a_tree_that_was_changed_is_followed_at_once(roster: Roster) -> None:
    for document in (area("v", "t"), area("t"), area("u")):
        await roster.put(document, by="test")
    assert [step.id for step in await roster.area_path(AreaId("v"))] == ["v", "t"]
    await roster.put(area("v", "u"), by="test")
    assert [step.id for step in await roster.area_path(AreaId("v"))] == ["v", "u"]


async def test_changes_of_one_person_at_the_same_time_all_stay(roster: Roster) -> None:
    await roster.put(person(), by="test")

    async def subscribe(n: int) -> None:
        point = WebPushPoint(endpoint=f"https://push.example/{n}", p256dh="k", auth="a")
        await roster.update_person(
            PersonId("p-1"),
            lambda old: msgspec.structs.replace(old, contact_points=(*old.contact_points, point)),
            by=f"phone {n}",
        )

    await asyncio.gather(*(subscribe(n) for n in range(6)))
    (found,) = (await roster.people([PersonId("p-1")])).values()
    assert {point.endpoint[-1] for point in found.contact_points if isinstance(point, WebPushPoint)} == set("012345")


async def test_a_change_that_changes_nothing_writes_nothing(roster: Roster) -> None:
    revision = await roster.put(person(), by="test")
    assert await roster.update_person(PersonId("p-1"), lambda old: old, by="phone") == person()
    entry = await roster.entry("person", "p-1")
    assert entry is not None
    assert entry.revision == revision


async def test_nobody_cannot_be_changed(roster: Roster) -> None:
    with pytest.raises(NotFound):
        await roster.update_person(PersonId("p-9"), lambda old: old, by="phone")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (person("a.b"), Malformed),
        (person(name="x" * 70_000), Oversized),
        (Post(id=PostId("x"), area=AreaId(">"), role="station", name="所"), Malformed),
        (msgspec.structs.replace(area("a"), kind="planet"), Malformed),
    ],
)
async def test_what_could_not_be_read_again_is_not_written(
    roster: Roster, document: Document, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await roster.put(document, by="test")
    assert await roster.is_empty()


async def test_a_document_that_cannot_be_read_hides_no_other(roster: Roster, nc: Client) -> None:
    await roster.put(person("p-1"), by="test")
    await nc.jetstream().publish(f"$KV.ROSTER.{roster.site}.person.p-2", b"\xff rubbish")
    assert set(await roster.people([PersonId("p-1"), PersonId("p-2")])) == {"p-1"}


async def test_without_a_server_it_is_unavailable(roster: Roster, nc: Client) -> None:
    await nc.close()
    with pytest.raises(Unavailable):
        await roster.household(HouseholdId("h"))
    with pytest.raises(Unavailable):
        await roster.put(person(), by="test")


async def test_a_demo_household_calls_thirteen(roster: Roster) -> None:
    cast = await seed_demo(roster)
    calls = await call_list(roster, cast.household, NOW)
    assert calls.gaps == ()
    assert len(calls.called) == 13
    assert calls.household is not None
    assert calls.group is not None
    assert calls.called[0].person.id == calls.group.leader == cast.leader.subject
    assert [step.name for step in calls.areas] == ["茅州村", "共和镇", "牟定县"]
    on_the_list = {called.person.id for called in calls.called}
    assert {m.subject for m in cast.members() if m.role == "responder"} <= on_the_list
    assert cast.operator.area in {step.id for step in calls.areas}
    assert calls.called[-1].person.phone


async def test_every_demo_household_has_somebody_to_call_and_no_gap(roster: Roster) -> None:
    await seed_demo(roster)
    homes = [home async for home in roster.all("household")]
    assert len(homes) == 24
    for home in homes:
        calls = await call_list(roster, HouseholdId(home.id), NOW)
        assert calls.gaps == ()
        assert len(calls.called) >= 7


async def test_nobody_of_the_demo_is_called_for_themselves(roster: Roster) -> None:
    await seed_demo(roster)
    homes = [home async for home in roster.all("household") if isinstance(home, Household)]
    people = {person.phone async for person in roster.all("person") if isinstance(person, Person)}
    own = [home.phone for home in homes]
    assert len(set(own)) == len(homes)
    assert people.isdisjoint(own)


async def test_the_demo_leaves_alone_what_was_changed_and_restores_what_is_missing(roster: Roster) -> None:
    await seed_demo(roster)
    leader = PersonId(demo_cast().leader.subject)
    await roster.update_person(leader, lambda old: msgspec.structs.replace(old, name="新名"), by="desk")
    home = await roster.entry("household", demo_cast().household)
    assert home is not None
    await roster.delete(home)
    await seed_demo(roster)
    assert (await roster.people([leader]))[leader].name == "新名"
    assert await roster.household(demo_cast().household) == home.document


async def test_the_demo_does_not_go_into_a_roster_of_somebodys_own(roster: Roster) -> None:
    await roster.put(area("mouding"), by="王芳")
    with pytest.raises(Exception, match="not the demo's"):
        await seed_demo(roster)
    assert [found async for found in roster.all("person")] == []


async def test_a_household_that_is_not_in_the_roster_is_a_gap_and_no_error(roster: Roster) -> None:
    calls = await call_list(roster, HouseholdId("none"), NOW)
    assert calls.household is None
    assert calls.called == ()
    assert [gap.what for gap in calls.gaps] == ["household none"]
