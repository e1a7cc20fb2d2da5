"""The plan: over which channels each person of the call list is called."""

from __future__ import annotations

from dispatch.events import Channel, Gap, Reason
from dispatch.fanout.plan import plan_of
from dispatch.identifiers import AreaId, GroupId, PersonId
from dispatch.roster import (
    Area,
    Called,
    CallList,
    ContactPoint,
    Group,
    Person,
    WebhookPoint,
    WebPushPoint,
    channels_of,
    points_for,
)

PUSH = WebPushPoint(endpoint="https://push.example/1", p256dh="k", auth="a")
PUSH_2 = WebPushPoint(endpoint="https://push.example/2", p256dh="k", auth="a")
OLD_PUSH = WebPushPoint(endpoint="https://push.example/0", p256dh="k", auth="a", retired="gone")
HOOK = WebhookPoint(url="https://hook.example", secret="whsec_AAAA")


def person(*points: ContactPoint) -> Person:
    return Person(id=PersonId("p-1"), name="王", contact_points=points)


def test_the_page_and_the_best_point_that_is_not_retired() -> None:
    assert channels_of(person(OLD_PUSH, HOOK, PUSH)) == ("live", "webhook")
    assert channels_of(person(PUSH, HOOK)) == ("live", "webpush")


def test_without_a_usable_point_the_page_is_left() -> None:
    alone: tuple[Channel, ...] = ("live",)
    assert channels_of(person()) == alone
    assert channels_of(person(OLD_PUSH)) == alone


def test_every_point_of_the_channel_best_first() -> None:
    assert points_for(person(OLD_PUSH, PUSH, HOOK, PUSH_2), "webpush") == (PUSH, PUSH_2)
    assert points_for(person(PUSH), "webhook") == ()
    assert points_for(None, "webpush") == ()


def test_the_plan_keeps_reasons_areas_group_and_gaps() -> None:
    reasons = (Reason("group_leader", "g-1"), Reason("auxiliary_officer", "a-1"))
    gaps = (Gap(what="post x", reason="nobody"),)
    plan = plan_of(
        CallList(
            group=Group(id=GroupId("g-1"), name="一组", area=AreaId("a-1"), members=()),
            areas=(Area(id=AreaId("a-1"), name="村", kind="village"), Area(id=AreaId("a"), name="县", kind="county")),
            called=(Called(person(PUSH), reasons),),
            gaps=gaps,
        )
    )
    assert (plan.group, plan.areas, plan.gaps) == ("g-1", ("a-1", "a"), gaps)
    assert [(c.responder, c.reasons, c.channels) for c in plan.calls] == [("p-1", reasons, ("live", "webpush"))]


def test_an_unknown_household_makes_a_plan_that_says_so() -> None:
    plan = plan_of(CallList(gaps=(Gap(what="household h", reason="not in the roster"),)))
    assert (plan.group, plan.areas, plan.calls) == (None, (), ())
    assert plan.gaps


def test_the_response_target_is_that_of_the_nearest_area_which_has_one() -> None:
    village = Area(id=AreaId("v"), name="村", kind="village")
    township = Area(id=AreaId("t"), name="镇", kind="township", response_target_seconds=180)
    county = Area(id=AreaId("c"), name="县", kind="county", response_target_seconds=300)
    assert plan_of(CallList(areas=(village, township, county))).response_target_seconds == 180
    assert plan_of(CallList(areas=(village,))).response_target_seconds is None
