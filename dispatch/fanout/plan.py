"""From the roster's call list to the plan that is written on the case: whom, why, and over what."""

from __future__ import annotations

from typing import assert_never

from dispatch.cases import Plan
from dispatch.events import Channel, PlannedCall
from dispatch.roster import CallList, ContactPoint, Person, WebhookPoint, WebPushPoint


def plan_of(listed: CallList) -> Plan:
    """The plan for a call list. Someone without any contact point is called too: a page may be open."""
    return Plan(
        group=listed.group.id if listed.group else None,
        areas=tuple(area.id for area in listed.areas),
        calls=tuple(
            PlannedCall(responder=called.person.id, reasons=called.reasons, channels=channels_of(called.person))
            for called in listed.called
        ),
        gaps=listed.gaps,
    )


def channels_of(person: Person) -> tuple[Channel, ...]:
    """The open page, and the channel of the person's best contact point if they have one."""
    best = next((point for point in person.contact_points if point.retired is None), None)
    return ("live",) if best is None else ("live", channel_of(best))


def channel_of(point: ContactPoint) -> Channel:
    match point:
        case WebPushPoint():
            return "webpush"
        case WebhookPoint():
            return "webhook"
        case _:
            assert_never(point)


def points_for(person: Person | None, channel: Channel) -> tuple[ContactPoint, ...]:
    """The contact points by which `person` is reached over `channel`, best first."""
    points = person.contact_points if person else ()
    return tuple(point for point in points if point.retired is None and channel_of(point) == channel)
