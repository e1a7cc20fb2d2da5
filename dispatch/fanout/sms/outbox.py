"""Texts out, part by part. What was taken of a text is remembered, so that trying again goes on from there."""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

import structlog

from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.link import Link, NoLink
from dispatch.fanout.sms.numbers import sender_type
from dispatch.fanout.sms.pdu import Submit
from dispatch.fanout.sms.session import Ended, Submitted
from dispatch.fanout.sms.texts import parts_of

log = structlog.get_logger()

VALIDITY = "000000010000000R"
"""One hour (SMPP 3.4, 7.1.1.2), as with Web Push: an older alarm helps nobody."""
THROTTLED_SECONDS = 1.0
"""How long nobody sends after the SMSC said that it is too much: it counts by the second."""
BUSY_SECONDS = 1.0
BEGUN_REMEMBERED, BEGUN_SECONDS = 4096, 60.0


@dataclass
class Begun:
    """A text that is being sent: its id, the reference of its parts, how many the SMSC has taken, and since when."""

    id: str
    reference: int
    since: float
    taken: int = 0


Taken = Callable[[Begun, int, str], Awaitable[None]]
"""Told of each part that the SMSC took: of which text, of how many parts, and the part's message id."""


class NotTaken(Exception):
    """The SMSC did not take the text; `gone` when it never will to that number.

    `later`: it may when it is sent again under the same name, in so many seconds at the soonest.
    """

    def __init__(self, reason: str, *, gone: bool = False, later: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.gone, self.later = reason, gone, later


class Outbox:
    """Sends texts in the name of the account's sender. Numbers are E.164."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ton, self._npi, self._source = sender_type(link.account.sender)
        self._references = itertools.count(random.randrange(256))  # noqa: S311  (no secret)
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        self._proven = False

    @property
    def is_busy(self) -> bool:
        """Whether calls wait for their turn: then nothing else is sent."""
        return self._link.pace.behind > BUSY_SECONDS

    async def send(self, name: str, number: str, text: str, taken: Taken | None = None) -> None:
        """Send `text`, with receipts when `taken` wants to know. Raises `NotTaken`.

        Sent again under the same `name` it goes on behind the last part that was taken. A part whose answer was lost
        goes once more: the same octets under the same reference.
        """
        begun = self._begin(name)
        parts = parts_of(text, begun.reference)
        for header, octets in parts[begun.taken :]:
            message = Submit(
                source=self._source,
                source_ton=self._ton,
                source_npi=self._npi,
                destination=number.removeprefix("+"),
                octets=header + octets,
                esm_class=pdu.UDH_INDICATOR if header else 0,
                validity=VALIDITY,
                receipt=taken is not None,
            )
            submitted = await self._submit(message)
            begun.taken += 1
            if taken is not None and submitted.message_id:
                await taken(begun, len(parts), submitted.message_id)
        self._begun.pop(name, None)  # it may have been sent twice at once

    async def tell(self, number: str, text: str) -> None:
        """Send `text`; that it did not go is but logged."""
        try:
            await self.send(f"tell {number}", number, text)
        except NotTaken as error:
            log.info("sms.not_told", reason=error.reason)

    def _begin(self, name: str) -> Begun:
        begun = self._begun.get(name)
        if begun is None or monotonic() - begun.since > BEGUN_SECONDS:
            begun = Begun(uuid4().hex, next(self._references) % 256, monotonic())
        self._begun[name] = begun
        self._begun.move_to_end(name)
        if len(self._begun) > BEGUN_REMEMBERED:
            self._begun.popitem(last=False)
        return begun

    async def _submit(self, message: Submit) -> Submitted:
        try:
            submitted = await self._link.submit(message)
        except TimeoutError:
            raise NotTaken("the SMSC did not answer in time; it may have the text", later=0.0) from None
        except (NoLink, Ended) as error:
            raise NotTaken(str(error), later=0.0) from None
        except ValueError as error:
            raise NotTaken(f"this cannot be sent: {error}") from None
        if submitted.status in {pdu.THROTTLED, pdu.QUEUE_FULL}:
            reason = f"the SMSC takes no more for now ({pdu.status_name(submitted.status)})"
            raise NotTaken(reason, later=THROTTLED_SECONDS)
        if submitted.status == pdu.OK:
            self._proven = True
            return submitted
        # An SMSC that refuses every number is set up wrongly, and that must not empty the roster.
        gone = submitted.status == pdu.INVALID_DESTINATION and self._proven
        raise NotTaken(f"the SMSC refused it ({pdu.status_name(submitted.status)})", gone=gone)
