"""What the SMSC brings: receipts become outcomes, and texts of those who were called become answers.

Anybody may send us a text, as often and with whatever in it as they like. Nothing is believed of it but the number
it came from, which the network vouches for as far as it does; and it can only answer a call that was made.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import structlog

from dispatch.cases import Case, CaseDesk, GiveAnswer, RecordCalls
from dispatch.clock import Clock, now
from dispatch.errors import Conflict, Forbidden, NotFound, Unavailable
from dispatch.events import CallOutcome
from dispatch.fanout.metrics import SMS_HEARD
from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.answers import ReadAnswer, read_answer
from dispatch.fanout.sms.memory import Called, Memory, TextRef
from dispatch.fanout.sms.numbers import e164
from dispatch.fanout.sms.outbox import Outbox
from dispatch.fanout.sms.pdu import Deliver
from dispatch.fanout.sms.receipts import Receipt, is_receipt, read_receipt
from dispatch.fanout.sms.texts import NO_CASE, UNREADABLE, read_text
from dispatch.identifiers import CommitId
from dispatch.roster import Roster, SmsPoint

log = structlog.get_logger()

TEXTS_A_MINUTE = 12
"""So many of one number are read; who sends more answers nothing."""
NUMBERS_WATCHED = 4096
TOLD_AGAIN = timedelta(hours=1)
"""How often at most a number is told that we cannot use its text: two machines must not talk to each other."""
RECORDED_SECONDS = 5.0


class Inbox:
    """Takes what arrives; the answer to the SMSC follows only when it is on the log, so that a kill loses nothing."""

    def __init__(self, desk: CaseDesk, *, roster: Roster, memory: Memory, outbox: Outbox, clock: Clock = now) -> None:
        self._desk, self._roster, self._memory = desk, roster, memory
        self._outbox, self._clock = outbox, clock
        self._texts = Frequency()

    async def take(self, message: Deliver) -> int:
        """Deal with `message`; the command_status to answer with."""
        try:
            if is_receipt(message):
                await self._receipt(message)
            else:
                await self._text(message)
        except Unavailable as error:
            log.warning("sms.later", reason=error.detail)
            return pdu.TRY_AGAIN
        except Exception:  # whatever somebody sent, it must stop nothing else
            log.exception("sms.error")
            SMS_HEARD.labels("error").inc()
            return pdu.NEVER_AGAIN
        return pdu.OK

    async def _receipt(self, message: Deliver) -> None:
        receipt = read_receipt(message)
        if receipt is None:
            SMS_HEARD.labels("receipt of nothing final").inc()
            return
        numbers = (e164(message.source, message.source_ton), e164(message.destination))
        ref = await self._memory.ref_of(receipt, tuple(filter(None, numbers)))
        SMS_HEARD.labels("receipt" if ref else "receipt of an unknown text").inc()
        if ref is not None:
            await self._record(ref, receipt)

    async def _record(self, ref: TextRef, receipt: Receipt) -> None:
        at = self._clock()
        if receipt.came == "delivered":
            if not await self._memory.arrived(ref):
                return  # a part of it
            case, attempt = await self._desk.load(ref.case), 1
            if (known := _known(case, ref)) is not None:
                attempt = known.attempt
        else:
            known = await self._once_sent(ref)
            if not await self._is_the_only_text(ref, known):
                log.info("sms.not_delivered", case=ref.case, responder=ref.responder, reason=receipt.reason)
                return
            attempt = known.attempt if known else 1
            if known is not None:  # clocks of two workers differ; this is what was known later
                at = max(at, known.at + timedelta(microseconds=1))
        outcome = CallOutcome(
            step=ref.step, responder=ref.responder, channel="sms", outcome=receipt.came, at=at,
            reason=receipt.reason, attempt=attempt,
        )  # fmt: skip
        command = RecordCalls(id=CommitId(f"sms-{ref.text}-{receipt.came}"), at=at, outcomes=(outcome,))
        await self._desk.handle(ref.case, command)

    async def _once_sent(self, ref: TextRef) -> CallOutcome | None:
        """What the case knows of the call, once it knows that it was sent: or that would be news after this failure."""
        deadline = monotonic() + RECORDED_SECONDS
        while True:
            known = _known(await self._desk.load(ref.case), ref)
            if (known is not None and known.outcome != "unknown") or monotonic() > deadline:
                return known
            # Asked again, not followed: it is mostly there at once, and a consumer for each costs more than a read.
            await asyncio.sleep(0.1)

    async def _is_the_only_text(self, ref: TextRef, known: CallOutcome | None) -> bool:
        """Whether no other text of this call is on its way: to another number, or made again after a crash."""
        if known is not None and known.attempt > 1:
            return False
        person = (await self._roster.people([ref.responder])).get(ref.responder)
        return person is None or sum(isinstance(point, SmsPoint) for point in person.contact_points) <= 1

    async def _text(self, message: Deliver) -> None:
        number = e164(message.source, message.source_ton)
        text = read_text(message.octets, message.data_coding, headed=bool(message.esm_class & pdu.UDH_INDICATOR))
        if number is None or text is None or not self._texts.admit(number):
            log.info("sms.passed_over", reason="sender" if number is None else "part" if text is None else "too many")
            SMS_HEARD.labels("passed over").inc()
            return
        answer = read_answer(text)
        told = NO_CASE
        calls = await self._memory.calls_of(number)
        for called in calls:
            case = await self._desk.load(called.case)
            if not case.as_known_by(called.responder).is_open or called.responder not in case.called():
                continue
            if answer is None:
                told = UNREADABLE
                break
            if await self._answer(called, answer):
                return
        log.info("sms.unused", readable=answer is not None, has_case=told == UNREADABLE)
        SMS_HEARD.labels("unreadable" if told == UNREADABLE else "no case").inc()
        if calls:  # a stranger's text, or one in a stranger's name, costs us none
            await self._tell(number, told)

    async def _answer(self, called: Called, answer: ReadAnswer) -> bool:
        command = GiveAnswer(
            id=CommitId(f"sms-{uuid4().hex}"),
            at=self._clock(),
            responder=called.responder,
            answer=answer.answer,
            via="sms",
            eta_minutes=answer.eta_minutes,
        )
        try:
            await self._desk.handle(called.case, command)
        except (Conflict, Forbidden, NotFound):  # closed in this moment
            return False
        log.info("sms.answered", case=called.case, responder=called.responder, answer=answer.answer)
        SMS_HEARD.labels("answer").inc()
        return True

    async def _tell(self, number: str, words: str) -> None:
        at = self._clock()
        if self._outbox.is_busy or await self._memory.told_since(number, at - TOLD_AGAIN, at):
            return
        await self._outbox.tell(number, words)


class Frequency:
    """How many texts each number has sent lately; the numbers heard longest ago are forgotten first."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def admit(self, number: str) -> bool:
        """Count a text of `number`; whether it is one of the first of its minute."""
        at = monotonic()
        since, count = self._heard.pop(number, (at, 0))
        if at - since > 60:
            since, count = at, 0
        self._heard[number] = since, count + 1
        if len(self._heard) > NUMBERS_WATCHED:
            self._heard.popitem(last=False)
        return count < TEXTS_A_MINUTE


def _known(case: Case, ref: TextRef) -> CallOutcome | None:
    call = case.calls.get((ref.step, ref.responder))
    return call.outcomes.get("sms") if call is not None else None
