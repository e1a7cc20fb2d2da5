"""Whom a household's alarm calls, in what order and why: given a roster, expect a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dispatch.events import Gap, Reason, Role
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId, PostId
from dispatch.roster import Area, Duty, Group, Household, Person, Post
from dispatch.roster.call_list import found, whom

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VILLAGE, TOWNSHIP, COUNTY = (
    Area(id=AreaId("v"), name="茅州村", kind="village", parent=AreaId("t")),
    Area(id=AreaId("t"), name="共和镇", kind="township", parent=AreaId("c")),
    Area(id=AreaId("c"), name="牟定县", kind="county"),
)
AREAS = (VILLAGE, TOWNSHIP, COUNTY)
HOME = Household(id=HouseholdId("h"), name="李家", address="一号", area=VILLAGE.id, group=GroupId("g"))
TEN = tuple(PersonId(f"p{n}") for n in range(10))
GROUP = Group(id=GroupId("g"), name="一组", area=VILLAGE.id, members=TEN, leader=PersonId("p3"))


def post(role: Role, area: Area, *people: str, **shift: datetime) -> Post:
    duty = tuple(Duty(person=PersonId(person), **shift) for person in people)
    return Post(id=PostId(f"{role}-{area.id}"), area=area.id, role=role, name=role, duty=duty)


THREE_POSTS = [
    post("police_assistant", TOWNSHIP, "assistant"),
    post("auxiliary_officer", VILLAGE, "aux"),
    post("community_police_officer", TOWNSHIP, "officer"),
]


def names(posts: list[Post], group: Group | None = GROUP) -> list[str]:
    wanted, _ = whom(HOME, group, AREAS, posts, NOW)
    return [person for person, _ in wanted]


def gaps(
    posts: list[Post], *, home: Household = HOME, group: Group | None = GROUP, areas: tuple[Area, ...] = AREAS
) -> list[str]:
    return [gap.what for gap in whom(home, group, areas, posts, NOW)[1]]


def test_a_full_group_and_three_officers_make_thirteen_with_the_leader_first() -> None:
    wanted, missing = whom(HOME, GROUP, AREAS, THREE_POSTS, NOW)
    assert missing == []
    assert wanted[0] == ("p3", Reason("group_leader", "g"))
    assert [person for person, _ in wanted[1:10]] == [p for p in TEN if p != "p3"]
    assert {reason for _, reason in wanted[1:10]} == {Reason("member", "g")}
    assert wanted[10:] == [
        ("assistant", Reason("police_assistant", "t")),
        ("aux", Reason("auxiliary_officer", "v")),
        ("officer", Reason("community_police_officer", "t")),
    ]


def test_the_nearest_area_with_such_a_post_is_called_and_no_other() -> None:
    posts = [post("auxiliary_officer", COUNTY, "far"), post("auxiliary_officer", TOWNSHIP, "near")]
    assert names(posts)[10:] == ["near"]


def test_a_post_where_nobody_ever_stands_is_passed_over_and_said() -> None:
    posts = [post("auxiliary_officer", VILLAGE), post("auxiliary_officer", COUNTY, "far"), *THREE_POSTS[::2]]
    assert "far" in names(posts)
    assert gaps(posts) == ["post auxiliary_officer-v auxiliary_officer"]


def test_the_station_is_not_called_at_once() -> None:
    assert "desk" not in names([*THREE_POSTS, post("station", VILLAGE, "desk")])


def test_only_those_on_duty_are_called() -> None:
    day = Duty(person=PersonId("day"), start=NOW - HOUR, end=NOW + HOUR)
    night = Duty(person=PersonId("night"), start=NOW + HOUR)
    over = Duty(person=PersonId("over"), end=NOW)
    officer = Post(id=PostId("x"), area=VILLAGE.id, role="auxiliary_officer", name="辅警", duty=(night, day, over))
    assert names([officer])[10:] == ["day"]


def test_when_nobody_is_on_duty_everyone_of_the_post_is_called_and_it_is_said() -> None:
    posts = [post("auxiliary_officer", VILLAGE, "a", "b", end=NOW - HOUR), *THREE_POSTS[::2]]
    wanted, missing = whom(HOME, GROUP, AREAS, posts, NOW)
    assert {"a", "b"} <= {person for person, _ in wanted}
    assert [gap.what for gap in missing] == ["post auxiliary_officer-v auxiliary_officer"]
    assert "nobody on duty; called all" in missing[0].reason


def test_a_role_without_any_post_is_a_gap() -> None:
    assert gaps(THREE_POSTS[:2]) == ["社区民警 / community police officer"]


def test_without_a_group_officers_are_called_still() -> None:
    assert names(THREE_POSTS, group=None) == ["assistant", "aux", "officer"]
    assert gaps(THREE_POSTS, group=None) == ["group g"]


def test_an_area_that_is_not_in_the_roster_is_a_gap() -> None:
    assert gaps(THREE_POSTS, areas=(VILLAGE,)) == ["area t"]
    assert gaps([THREE_POSTS[1]], areas=())[0] == "area v"


def test_an_empty_group_is_a_gap() -> None:
    empty = Group(id=GroupId("g"), name="一组", area=VILLAGE.id, members=())
    assert gaps(THREE_POSTS, group=empty) == ["group g 一组"]


def test_each_person_is_called_once_with_every_reason() -> None:
    person = Person(id=PersonId("p3"), name="罗玉珍")
    wanted = [(person.id, Reason("group_leader", "g")), (person.id, Reason("auxiliary_officer", "v"))]
    called, missing = found(wanted, {person.id: person})
    assert missing == []
    assert [(c.person.id, [reason.role for reason in c.reasons]) for c in called] == [
        ("p3", ["group_leader", "auxiliary_officer"])
    ]


def test_somebody_who_is_not_in_the_roster_is_a_gap_and_stops_nobody() -> None:
    person = Person(id=PersonId("p1"), name="段学文")
    wanted = [(PersonId("gone"), Reason("member", "g")), (person.id, Reason("member", "g"))]
    called, missing = found(wanted, {person.id: person})
    assert [c.person.id for c in called] == ["p1"]
    assert missing == [Gap(what="person gone", reason="人员不在名册中 / not in the roster")]
