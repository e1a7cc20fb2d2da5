"""One connection to an SMSC, bound as a transceiver: requests out within a window, texts and receipts in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self

import msgspec
import structlog

from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.pdu import Broken, Deliver, Pdu, Submit

log = structlog.get_logger()

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0
ENQUIRE_SECONDS = 10.0
"""After so long without a word from the SMSC it is asked whether it is still there."""
GOODBYE_SECONDS = 1.0
DELIVERIES_IN_HAND = 64
"""What arrives while so many are being dealt with is refused for now, and the SMSC keeps it."""
LAST_SEQUENCE = 0x7FFFFFFF

Take = Callable[[Deliver], Awaitable[int]]
"""Deals with what arrived and says with which command_status to answer; only then has the SMSC rid itself of it."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where the SMSC is and who we are there; at most `window` texts wait for its answer, `rate` are sent a second."""

    host: str
    port: int
    system_id: str
    password: str
    sender: str
    rate: float
    window: int

    def __repr__(self) -> str:
        return f"Account({self.system_id!r} at {self.host}:{self.port})"


class Ended(ConnectionError):
    """The connection is gone; whether the SMSC has what was sent last is not known."""


class BindRefused(ConnectionError):
    """The SMSC does not let us in; the text says why."""


class Submitted(msgspec.Struct, frozen=True):
    """What the SMSC answered to a text."""

    status: int
    message_id: str


class Session:
    """A bound connection. `run` serves it until it ends."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        account: Account,
        take: Take,
        enquire_seconds: float = ENQUIRE_SECONDS,
    ) -> None:
        self._reader, self._writer, self._take = reader, writer, take
        self._enquire_seconds = enquire_seconds
        self._window = asyncio.Semaphore(account.window)
        self._answers: dict[int, asyncio.Future[Pdu]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._sequence = 0
        self._heard = 0.0
        self._over: str | None = None

    @classmethod
    async def open(cls, account: Account, take: Take, enquire_seconds: float = ENQUIRE_SECONDS) -> Self:
        """Connect and bind. Raises `BindRefused`, `Broken`, `OSError` or `TimeoutError`."""
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(account.host, account.port)
            try:
                bind = Pdu(pdu.BIND_TRANSCEIVER, pdu.OK, 1, pdu.bind_body(account.system_id, account.password))
                writer.write(bind.encode())
                answer = await pdu.read_pdu(reader)
                _require_bound(answer)
            except BaseException:
                writer.transport.abort()
                raise
        session = cls(reader, writer, account, take, enquire_seconds)
        session._sequence = 1
        return session

    async def submit(self, message: Submit) -> Submitted:
        """Hand over one text. Raises `Ended`, and `TimeoutError` when the SMSC does not answer within five seconds."""
        body = message.body()
        async with self._window:
            answer = await self._ask(pdu.SUBMIT_SM, body)
        return Submitted(answer.status, pdu.message_id_of(answer.body))

    async def run(self) -> str:
        """Serve the connection until it ends; why it did."""
        enquiring = asyncio.create_task(self._enquire())
        try:
            while True:
                received = await pdu.read_pdu(self._reader)
                self._heard = asyncio.get_running_loop().time()
                if received.command == pdu.UNBIND:
                    await self._send(Pdu(pdu.UNBIND | pdu.RESPONSE, pdu.OK, received.sequence))
                    return "the SMSC unbound"
                await self._receive(received)
        except (Broken, OSError, asyncio.IncompleteReadError) as error:
            return self._over or str(error) or type(error).__name__
        finally:
            enquiring.cancel()
            self._end()

    async def close(self) -> None:
        """Say good-bye and hang up; `run` ends then."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._ask(pdu.UNBIND, b"")
        self._end()

    async def _ask(self, command: int, body: bytes) -> Pdu:
        if self._writer.is_closing():
            raise Ended("the connection to the SMSC is gone")
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        sequence = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._answers[sequence] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._send(Pdu(command, pdu.OK, sequence, body))
                return await answer
        finally:
            del self._answers[sequence]

    async def _send(self, out: Pdu) -> None:
        try:
            self._writer.write(out.encode())
            await self._writer.drain()
        except TimeoutError:
            raise
        except OSError as error:
            raise Ended(f"the connection to the SMSC is gone: {error}") from error

    async def _receive(self, received: Pdu) -> None:
        if received.command & pdu.RESPONSE:
            answer = self._answers.get(received.sequence)
            if answer is not None and not answer.done():
                answer.set_result(received)
        elif received.command == pdu.ENQUIRE_LINK:
            await self._answer(received, pdu.OK)
        elif received.command != pdu.DELIVER_SM:
            await self._send(Pdu(pdu.GENERIC_NACK, pdu.INVALID_COMMAND, received.sequence))
        elif len(self._deliveries) >= DELIVERIES_IN_HAND:
            await self._answer(received, pdu.QUEUE_FULL)
        else:
            task = asyncio.create_task(self._deliver(received))
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, received: Pdu) -> None:
        try:
            status = await self._take(pdu.read_deliver(received.body))
        except Broken as error:
            log.warning("sms.unreadable", reason=str(error))
            status = pdu.INVALID_COMMAND_LENGTH
        with contextlib.suppress(OSError):
            await self._answer(received, status)

    async def _answer(self, request: Pdu, status: int) -> None:
        body = b"\0" if request.command == pdu.DELIVER_SM else b""  # its message_id, unused in 3.4
        await self._send(Pdu(request.command | pdu.RESPONSE, status, request.sequence, body))

    async def _enquire(self) -> None:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            await asyncio.sleep(max(0.0, self._heard + self._enquire_seconds - loop.time()))
            if loop.time() - self._heard < self._enquire_seconds:
                continue
            try:
                async with asyncio.timeout(self._enquire_seconds):
                    await self._ask(pdu.ENQUIRE_LINK, b"")
            except Exception as error:  # noqa: BLE001 - unwatched, a dead connection would stay open for ever
                unanswered = isinstance(error, OSError | TimeoutError)
                self._over = "the SMSC does not answer an enquire_link" if unanswered else repr(error)
                self._writer.transport.abort()
                return

    def _end(self) -> None:
        self._writer.transport.abort()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Ended("the connection to the SMSC ended before it answered"))
        for delivery in self._deliveries:
            delivery.cancel()


def _require_bound(answer: Pdu) -> None:
    if answer.status != pdu.OK or answer.command != pdu.BIND_TRANSCEIVER | pdu.RESPONSE:
        raise BindRefused(f"the SMSC refused the bind: {pdu.status_name(answer.status)}")
