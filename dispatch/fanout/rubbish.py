"""Unreadable presses that get no letter any more: whose they are is said, and told on the desk while it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.clock import Clock, now
from dispatch.events import Incident
from dispatch.identifiers import TOKEN
from dispatch.roles import rubbish_subject

log = structlog.get_logger()

HEARD_SECONDS = 60.0
"""It is over when none was passed over for so long."""

Tell = Callable[[str], Awaitable[None]]


async def tell_rubbish(nc: Client, site: str, household: str) -> None:
    """Say that an unreadable press of `household` was passed over. Raises nothing."""
    try:
        await nc.publish(rubbish_subject(site, household))
    except NatsError as error:
        log.warning("press.rubbish_untold", household=household, error=repr(error))


class Rubbish:
    """Of which households unreadable presses were passed over lately, at any worker."""

    def __init__(self, clock: Clock = now, passed: Callable[[], float] = monotonic) -> None:
        self._clock, self._passed = clock, passed
        self._heard: dict[str, tuple[float, datetime]] = {}
        """When it was last said, by time that passed, and since when."""

    async def hear(self, message: Msg) -> None:
        household = message.subject.rpartition(".")[2]
        if TOKEN.fullmatch(household):  # anything else is no household, and no bucket has such a key
            _, since = self._heard.get(household, (0.0, self._clock()))
            self._heard[household] = self._passed(), since

    def incidents(self) -> list[Incident]:
        """An incident for each household, while it goes on."""
        lately = self._passed() - HEARD_SECONDS
        self._heard = {household: heard for household, heard in self._heard.items() if heard[0] > lately}
        return [_incident(household, since) for household, (_, since) in self._heard.items()]


def _incident(household: str, since: datetime) -> Incident:
    detail = (
        f"{household} 户的按键不断发来无法读取的内容，前几条已列为未能处理的消息，其余不再列出，请电话核实 / "
        f"a button of household {household} goes on sending what cannot be read; the first are listed as what could "
        "not be processed, the others are not: telephone them"
    )
    return Incident(kind="rubbish", what=household, since=since, detail=detail)
