"""Over what a person can be called."""

from __future__ import annotations

from typing import assert_never

from dispatch.events import Channel
from dispatch.roster.documents import ApprisePoint, ContactPoint, Person, SmsPoint, WebhookPoint, WebPushPoint


def every_channel_of(person: Person | None) -> tuple[Channel, ...]:
    """The open page, and every channel for which the person has a contact point that works, best first."""
    points = person.contact_points if person else ()
    return ("live", *dict.fromkeys(channel_of(point) for point in points if point.retired is None))


def is_mute(person: Person) -> bool:
    """Whether every contact point of theirs is gone; who never had one is called over their open page alone."""
    return bool(person.contact_points) and all(point.retired is not None for point in person.contact_points)


def channels_of(person: Person, at_once: int = 1) -> tuple[Channel, ...]:
    """What rings first: the open page, and the best `at_once` of the person's channels, as far as they have some."""
    return every_channel_of(person)[: 1 + at_once]


def channels_after(person: Person, at_once: int = 1) -> tuple[Channel, ...]:
    """What follows one by one while the first do not reach them: the rest of the person's channels, best first."""
    return every_channel_of(person)[1 + at_once :]


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
