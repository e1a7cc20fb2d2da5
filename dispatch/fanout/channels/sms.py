"""Text messages over SMPP 3.4 (docs/adr/0008-text-messages.md)."""

from __future__ import annotations

import structlog

from dispatch.errors import Unavailable
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.ring import Ring
from dispatch.fanout.sms.memory import Memory, TextRef, digest
from dispatch.fanout.sms.outbox import Begun, NotTaken, Outbox
from dispatch.fanout.sms.receipts import Receipt
from dispatch.fanout.sms.texts import text_of
from dispatch.roster import SmsPoint

log = structlog.get_logger()


class SmsSender:
    """Texts a ring. What must be known for receipts and answers is remembered before and after."""

    def __init__(self, outbox: Outbox, memory: Memory) -> None:
        self._outbox, self._memory = outbox, memory

    async def send(self, ring: Ring, point: SmsPoint) -> Sent:
        """Hand the text over. A number that the SMSC knows to be none is `gone`."""
        name = f"{ring.notification} {ring.step} {ring.word} {point.number}"
        try:
            if ring.word == "called":
                return await self._call(name, ring, point)
            await self._outbox.send(name, point.number, text_of(ring))
            return Sent("sent")
        except NotTaken as error:
            return Sent("failed", error.reason, gone=error.gone, later=error.later)

    async def _call(self, name: str, ring: Ring, point: SmsPoint) -> Sent:
        try:
            await self._memory.called(point.number, ring.case, ring.responder)
        except Unavailable as error:  # a text that cannot be answered is better than none
            log.warning("sms.not_remembered", case=ring.case, reason=error.detail)
        early: list[Receipt] = []
        whole = False

        async def taken(text: Begun, parts: int, message_id: str) -> None:
            nonlocal whole
            ref = TextRef(
                case=ring.case,
                step=ring.step,
                responder=ring.responder,
                number=digest(point.number),
                text=text.id,
                part=text.taken,
                parts=parts,
            )
            try:
                receipt = await self._memory.sent(message_id, ref)
                if receipt is not None:
                    early.append(receipt)
                    whole = receipt.came == "delivered" and await self._memory.arrived(ref)
            except Unavailable as error:
                log.warning("sms.not_remembered", case=ring.case, reason=error.detail)

        await self._outbox.send(name, point.number, text_of(ring), taken)
        undelivered = next((receipt for receipt in early if receipt.came == "failed"), None)
        if undelivered is not None:
            return failed(undelivered.reason or "not delivered")
        return Sent("delivered" if whole else "sent")
