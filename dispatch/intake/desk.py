"""Accepting a press that one of our processes was handed: stored first, then "accepted"."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import PubAck
from nats.js.errors import NotFoundError

from dispatch.cases import CaseDesk, is_overtaken
from dispatch.clock import Clock, now
from dispatch.errors import Oversized, Unavailable
from dispatch.events import INTAKE, MAX_PRESS_BYTES, CaseLog, Press, encode_press
from dispatch.identifiers import CaseId, HouseholdId, PressId, Site, token
from dispatch.intake.frequency import Frequency, Limits
from dispatch.intake.strain import Strain

log = structlog.get_logger()

TRIES = 3
TRY_SECONDS = 1.5
"""How long one try waits for the acknowledgement, in seconds."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """JetStream has the press on disk since `accepted_at` at the latest; `duplicate` when it had it before."""

    press: PressId
    household: HouseholdId
    accepted_at: datetime
    duplicate: bool


class IntakeDesk:
    """Takes presses for one site. `try_seconds` is how long each of `TRIES` tries waits."""

    def __init__(
        self,
        nc: Client,
        site: Site | str,
        *,
        limits: Limits | None = None,
        try_seconds: float = TRY_SECONDS,
        clock: Clock = now,
    ) -> None:
        self._js, self._site = nc.jetstream(), Site(site)
        self._cases = CaseDesk(CaseLog(nc, self._site))
        self._frequency = Frequency(limits or Limits())
        self._try_seconds, self._clock = try_seconds, clock
        self.strain = Strain()

    async def accept(self, press: Press) -> Accepted:
        """Store `press`, once however often it is sent, and say so. The household is not looked up here.

        Raises `Malformed` for ids that cannot be, `Oversized`, `TooFrequent`, and `Unavailable` when no
        acknowledgement came; the press may have been stored even so, and may be sent again as it is.
        """
        token(press.household, "household")
        token(press.press, "press")
        at = self._clock()
        over = await self._over(press) if self._frequency.is_spent(press, at) else None
        with self._frequency.counted(press, at, over=over), self.strain.storing():
            ack = await self._store(press)
        accepted = Accepted(
            press=press.press,
            household=press.household,
            accepted_at=self._clock(),
            duplicate=bool(ack.duplicate),
        )
        log.info("press.accepted", press=press.press, household=press.household, duplicate=accepted.duplicate)
        return accepted

    async def _over(self, press: Press) -> CaseId | None:
        """The newest case of the press's household if the press opens another, or seems to; None while it does not.

        Raises `Unavailable` when that cannot be known.
        """
        head = await self._cases.log.head(press.household)
        if head is None:
            return None
        case = await self._cases.load(head.case)
        return head.case if not case.as_pressed.is_open or is_overtaken(case, press) else None

    async def _store(self, press: Press) -> PubAck:
        subject, headers, body = encode_press(press, self._site)
        if len(body) > MAX_PRESS_BYTES:
            raise Oversized(f"a press of {len(body)} bytes: send {MAX_PRESS_BYTES} at most", field="body")
        headers["Nats-Msg-Id"] = f"{self._site}:{headers['ce-id']}"  # the stream is shared by all sites
        ack = await self._insist(press, subject, headers, body)
        if ack.duplicate and not await self._is_kept(ack.seq):
            # The stream remembers the id and has lost the press: too many of one household came after it.
            headers["Nats-Msg-Id"] += f":after-{ack.seq}"
            ack = await self._insist(press, subject, headers, body)
        return ack

    async def _is_kept(self, seq: int) -> bool:
        try:
            return bool((await self._js.get_msg(INTAKE, seq=seq)).seq)
        except NotFoundError:
            return False
        except (NatsError, TimeoutError):
            return True  # it cannot be known, and the acknowledgement said so

    async def _insist(self, press: Press, subject: str, headers: dict[str, str], body: bytes) -> PubAck:
        for attempt in range(TRIES):
            try:
                return await self._publish(subject, headers, body)
            except (NatsError, TimeoutError) as error:
                why = repr(error)
                log.warning("press.retry", press=press.press, household=press.household, attempt=attempt, error=why)
                await asyncio.sleep(0.05 * 2**attempt)
        raise Unavailable(
            f"press {press.press} of household {press.household} was not acknowledged by the store of presses; "
            "send it again under the same press id, and use the telephone meanwhile (请同时拨打电话报警)",
            press_id=press.press,
        )

    async def _publish(self, subject: str, headers: dict[str, str], body: bytes) -> PubAck:
        async with asyncio.timeout(self._try_seconds):  # a full write buffer waits longer than publish()'s own limit
            # publish() changes the headers it is given.
            return await self._js.publish(subject, body, timeout=self._try_seconds, headers=dict(headers))
