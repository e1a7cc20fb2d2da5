"""Answering buttons. A button's press is stored by nats-server itself; here the button is told what became of it.

The answer to every press that the stream of presses holds comes from reading that stream with one durable
consumer, shared by all serve processes: "accepted" is therefore said only of what is stored, presses that
came while none of us ran are answered later, and none are answered again after a restart. Presses that are
oversized, some of which the stream never takes, are answered as they fly past. An answer may be lost on its
way (MQTT gives no more than QoS 0 here): a button that hears nothing sends the same press id again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy

from dispatch.clock import of_server
from dispatch.errors import DispatchError, NotFound, Oversized, Refused, Unavailable
from dispatch.events import (
    INTAKE,
    MAX_PRESS_BYTES,
    answer_subject,
    consume,
    decode_press,
    is_cloud_event,
    press_subject,
    work_consumer,
)
from dispatch.identifiers import HouseholdId, Site
from dispatch.intake.frequency import Frequency, Limits
from dispatch.intake.passing import Passing
from dispatch.intake.strain import Strain

log = structlog.get_logger()

AT_ONCE = 256
"""How many answers are worked on at once, over all serve processes."""
ACK_WAIT = timedelta(seconds=10)
RETRY_SECONDS = 1.0
LAST_TRY = 10
"""An answer that fails so often for no known reason is given up; the press itself is not touched by that."""

FindHousehold = Callable[[HouseholdId], Awaitable[object | None]]


class _PressId(msgspec.Struct):
    press_id: str


_press_id = msgspec.json.Decoder(_PressId)


class ButtonAnswers:
    """Answers the buttons of one site. `find_household` gives None for a household that does not exist.

    `strain` hears of presses that are stored late or not at all.
    """

    def __init__(
        self,
        nc: Client,
        site: Site | str,
        find_household: FindHousehold,
        *,
        limits: Limits | None = None,
        strain: Strain | None = None,
    ) -> None:
        self._nc, self._site, self._find_household = nc, Site(site), find_household
        self._frequency = Frequency(limits or Limits())
        self._passing = Passing(nc, strain or Strain())

    async def run(self) -> None:
        """Answer until cancelled. Several processes may; each press is answered by one of them."""
        subject = press_subject(self._site, "*")
        passing = await self._nc.subscribe(subject, queue="button-answers", cb=self._see_pass)
        try:
            async with asyncio.TaskGroup() as answers:
                async for message in consume(self._nc, INTAKE, _consumer(self._site)):
                    answers.create_task(self._answer_stored(message))
        finally:
            with contextlib.suppress(NatsError):
                await passing.unsubscribe()
            await self._passing.close()

    async def _see_pass(self, message: Msg) -> None:
        if _is_oversized(message):
            await self._answer_oversized(message)
        elif not is_cloud_event(message.headers):
            self._passing.look_for(message)

    async def _answer_oversized(self, message: Msg) -> None:
        error = Oversized(f"a press of {len(message.data)} bytes: send {MAX_PRESS_BYTES} at most", field="body")
        try:
            await self._tell(message, _problem(message, error))
        except NatsError as failure:
            log.warning("button.unanswered", household=_household(message), error=repr(failure))

    async def _answer_stored(self, message: Msg) -> None:
        try:
            if not is_cloud_event(message.headers) and not _is_oversized(message):
                await self._tell(message, await self._answer(message))
            await message.ack()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next press must be answered)
            await _try_later(message, error)

    async def _answer(self, message: Msg) -> dict[str, object]:
        stored_at = of_server(message.metadata.timestamp)
        try:
            press = decode_press(message.subject, message.headers, message.data, stored_at)
            if await self._find_household(press.household) is None:
                raise NotFound(
                    f"household {press.household!r} is not in the roster (名册中没有此户): the press is kept, "
                    "but nobody can be called for it; check the button's topic",
                    field="household",
                )
            with self._frequency.counted(press, stored_at):
                quiet = {"silent": True} if press.silent else {}  # nothing may light up or beep for it
                return {"press_id": press.press, "status": "accepted", "accepted_at": stored_at, **quiet}
        except Refused as error:
            return _problem(message, error)

    async def _tell(self, message: Msg, answer: dict[str, object]) -> None:
        household = _household(message)
        await self._nc.publish(answer_subject(self._site, household), msgspec.json.encode(answer))
        log.info("button.answered", household=household, press=answer["press_id"], answer=answer["status"])


def _consumer(site: Site) -> ConsumerConfig:
    config = work_consumer(
        f"button-answers-{site}", press_subject(site, "*"), ack_wait=ACK_WAIT, max_ack_pending=AT_ONCE
    )
    # Counts when it is made for the first time: what was stored before there were answers is not answered.
    return config.evolve(deliver_policy=DeliverPolicy.NEW)


async def _try_later(message: Msg, error: Exception) -> None:
    household, tries = _household(message), message.metadata.num_delivered
    expected = isinstance(error, Unavailable | NatsError)
    log.warning("button.unanswered", household=household, tries=tries, error=repr(error), exc_info=not expected)
    try:
        if expected or tries < LAST_TRY:
            await message.nak(delay=RETRY_SECONDS)
        else:
            await message.ack()
    except NatsError:
        log.debug("button.not_acknowledged", household=household)  # delivered again after ACK_WAIT


def _problem(message: Msg, error: DispatchError) -> dict[str, object]:
    return {**error.problem(), "press_id": _readable_press_id(message.data)}


def _readable_press_id(body: bytes) -> str | None:
    try:
        return _press_id.decode(body).press_id[:64]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_oversized(message: Msg) -> bool:
    return len(message.data) > MAX_PRESS_BYTES


def _household(message: Msg) -> str:
    return message.subject.rpartition(".")[2]
