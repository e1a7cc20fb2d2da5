"""Text messages, put together: the link to the SMSC, what goes out over it and what comes in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

import structlog
from nats.aio.client import Client

from dispatch.cases import CaseDesk
from dispatch.fanout.channels.sms import SmsSender
from dispatch.fanout.lanes import Limits
from dispatch.fanout.sms.inbox import Inbox
from dispatch.fanout.sms.link import Link
from dispatch.fanout.sms.memory import Memory
from dispatch.fanout.sms.outbox import Outbox
from dispatch.fanout.sms.session import Account
from dispatch.identifiers import Site
from dispatch.roster import Roster
from dispatch.settings import Settings

log = structlog.get_logger()

TRY_SECONDS = 30.0
"""More than four parts and their answers take at most: a text that is cut off in the middle may have been taken."""


def account_of(settings: Settings) -> Account | None:
    """The account at the SMSC, or None where none is set up; what is missing is logged."""
    if settings.sms_host is None:
        return None
    if settings.sms_missing:
        log.error("sms.not_set_up", missing=settings.sms_missing)
        return None
    return Account(
        host=settings.sms_host,
        port=settings.sms_port,
        system_id=settings.sms_system_id or "",
        password=settings.sms_password.get_secret_value() if settings.sms_password else "",
        sender=settings.sms_sender or "",
        rate=settings.sms_rate,
        window=settings.sms_window,
    )


def limits_of(settings: Settings) -> Limits:
    """What the lane of texts may have in hand: what the link can hand over within some seconds, so that none waits
    there whose try is over before its turn came, and whoever is more urgent waits for few.
    """
    return Limits(at_once=2 * max(2, ceil(settings.sms_rate)), seconds=TRY_SECONDS)


@asynccontextmanager
async def texting(
    nc: Client, account: Account, *, site: Site | str, desk: CaseDesk, roster: Roster
) -> AsyncIterator[SmsSender]:
    """The sender, while a link to the SMSC is kept up beside; the SMSC need not be there."""
    link, memory = Link(account), Memory(nc, site)
    outbox = Outbox(link)
    inbox = Inbox(desk, roster=roster, memory=memory, outbox=outbox)
    keeping = asyncio.create_task(link.run(inbox.take))
    try:
        yield SmsSender(outbox, memory)
    finally:
        await link.close()
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
