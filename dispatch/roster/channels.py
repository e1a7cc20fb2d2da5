"""Over what a person can be called."""

from __future__ import annotations

from typing import assert_never

from dispatch.events import Channel
from dispatch.roster.documents import ApprisePoint, ContactPoint, Person, SmsPoint, WebhookPoint, WebPushPoint


def every_channel_of(person: Person | None) -> tuple[Channel, ...]:
    """The open page, and every channel for which the person has a contact point that works, best first."""
    points = person.contact_points if person else ()
    return ("live", *dict.fromkeys(channel_of(point) for point in points if point.retired is None))


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
        case SmsPoint():
            return "sms"
        case ApprisePoint():
            return "apprise"
        case _:
            assert_never(point)


def points_for(person: Person | None, channel: Channel) -> tuple[ContactPoint, ...]:
    """The contact points by which `person` is reached over `channel`, best first."""
    points = person.contact_points if person else ()
    return tuple(point for point in points if point.retired is None and channel_of(point) == channel)
