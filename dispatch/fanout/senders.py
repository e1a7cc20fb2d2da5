"""The channels that need nothing but a way out of this house; text messages keep a session of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Protocol

from nats.aio.client import Client

from dispatch.events import Channel
from dispatch.fanout.channels import AppriseSender, LiveSender, Poster, Sender, WebhookSender, WebPushSender
from dispatch.identifiers import PersonId
from dispatch.settings import Settings


class Keys(Protocol):
    """The site's keys; here the one that signs Web Push."""

    @property
    def vapid_private_pem(self) -> str: ...

    @property
    def vapid_public(self) -> str: ...


async def open_senders(
    stack: AsyncExitStack,
    nc: Client,
    keys: Keys,
    settings: Settings,
    *,
    may_have_page: Callable[[PersonId], bool] = lambda _: True,
) -> dict[Channel, Sender]:
    """A sender for each of these channels, until `stack` is closed. `may_have_page`: whose open page is asked for."""
    phones = await stack.enter_async_context(Poster(guarded=not settings.private_push_endpoints))
    endpoints = await stack.enter_async_context(Poster(guarded=False))
    messengers = AppriseSender(guarded=not settings.private_push_endpoints)
    stack.callback(asyncio.create_task(messengers.load()).cancel)
    return {
        "live": LiveSender(nc, settings.site, may_have_page=may_have_page),
        "webpush": WebPushSender(phones, keys.vapid_private_pem, keys.vapid_public, contact_of(settings)),
        "webhook": WebhookSender(endpoints),
        "apprise": messengers,
    }


def contact_of(settings: Settings) -> str:
    """By what a push service can reach us (RFC 8292, 2.1): what is set, else our own address when it is https."""
    if settings.contact is not None:
        return settings.contact
    return settings.url if settings.url.startswith("https://") else "mailto:dispatch@localhost.localdomain"
