"""An SMSC and its phones, for stories: it puts parts together, and answers, delays, refuses and forgets as told.

It reads PDUs with our own code; that this is right is tried against one that nobody here wrote (`node.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.pdu import Deliver, Pdu

Receipts = Literal["delivered", "failed", "none"]


@dataclass(frozen=True)
class Part:
    """One `submit_sm` that arrived, `at` seconds of the monotonic clock."""

    message_id: str
    to: str
    octets: bytes
    headed: bool
    wants_receipt: bool
    at: float

    @property
    def text(self) -> str:
        return self.octets[6 if self.headed else 0 :].decode("utf-16-be")


@dataclass
class FakeSmsc:
    """`texts` are what phones show, by number without `+`; `statuses` answers the next texts, then all are taken."""

    port: int = 0
    receipts: Receipts = "none"
    early: bool = False
    """Send the receipt before the answer to the text that it is about."""
    elsewhere: bool = False
    """Send receipts over another session than the one that sent the text."""
    answering: bool = True
    """Whether texts are answered at all."""
    unanswered: set[str] = field(default_factory=set)
    """Numbers whose texts are not."""
    statuses: list[int] = field(default_factory=list)
    judge: Callable[[str], int] = lambda _number: pdu.OK
    parts: list[Part] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    binds: int = 0
    enquiries: int = 0
    deaf: bool = False
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _sequences: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _answers: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a system that uses this SMSC."""
        return {
            "DISPATCH_SMS_HOST": "127.0.0.1", "DISPATCH_SMS_PORT": str(self.port), "DISPATCH_SMS_SYSTEM_ID": "dispatch",
            "DISPATCH_SMS_PASSWORD": "secret", "DISPATCH_SMS_SENDER": "10690110", "DISPATCH_SMS_RATE": "200",
        }  # fmt: skip

    @property
    def bound(self) -> int:
        return len(self._writers)

    def texts(self, number: str) -> list[str]:
        """What the phone shows: texts in the order of their first parts, those of which a part is missing left out."""
        whole: dict[object, list[tuple[int, int, str]]] = defaultdict(list)
        for place, part in enumerate(p for p in self.parts if p.to == number.removeprefix("+")):
            if part.headed:
                _, _, _, reference, total, which = struct.unpack_from("6B", part.octets)
                whole["parts", reference].append((which, total, part.text))
            else:
                whole["single", place].append((1, 1, part.text))
        return [
            "".join(text for _, _, text in sorted(set(pieces)))
            for pieces in whole.values()
            if len({which for which, _, _ in pieces}) == pieces[0][1]
        ]

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up on everybody and be gone, as a power cut does it."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        for answer in self._answers.values():
            answer.cancel()

    async def says(self, number: str, text: str, *, data_coding: int = pdu.UCS2, esm_class: int = 0) -> int:
        """Let a phone send `text`; with which command_status it was taken."""
        octets = text.encode("utf-16-be" if data_coding == pdu.UCS2 else "latin-1")
        return await self.deliver(number, octets, data_coding=data_coding, esm_class=esm_class)

    async def deliver(
        self,
        source: str,
        octets: bytes,
        *,
        data_coding: int = 0,
        esm_class: int = 0,
        tlvs: bytes = b"",
        over: asyncio.StreamWriter | None = None,
    ) -> int:
        """Send a `deliver_sm` over a session, by default the newest; the answer's command_status."""
        body = b"".join((
            b"\0", bytes((1, 1)), source.encode() + b"\0", bytes((0, 0)), b"10690110\0",
            bytes((esm_class, 0, 0)), b"\0\0", bytes((0, 0, data_coding, 0, len(octets))), octets, tlvs,
        ))  # fmt: skip
        assert pdu.read_deliver(body) == Deliver(
            source=source, source_ton=1, destination="10690110", esm_class=esm_class, data_coding=data_coding,
            octets=octets, tlvs=pdu.read_deliver(body).tlvs,
        )  # fmt: skip
        sequence = next(self._sequences)
        answer = self._answers[sequence] = asyncio.get_running_loop().create_future()
        await self._send(over or self._writers[-1], Pdu(pdu.DELIVER_SM, 0, sequence, body))
        return await asyncio.wait_for(answer, 20)

    async def receipt(
        self, part: Part, state: str = "DELIVRD", *, error: str = "000", over: asyncio.StreamWriter | None = None
    ) -> int:
        """Send the receipt of `part`, in the words of SMPP 3.4, appendix B."""
        text = f"id:{part.message_id} sub:001 dlvrd:001 submit date:2611220525 done date:2611220525 stat:{state} "
        return await self.deliver(part.to, f"{text}err:{error} text:".encode(), esm_class=0x04, over=over)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                received = await pdu.read_pdu(reader)
                if not self.deaf:
                    await self._receive(writer, received)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            if writer in self._writers:
                self._writers.remove(writer)
            writer.transport.abort()

    async def _receive(self, writer: asyncio.StreamWriter, received: Pdu) -> None:
        if received.command & pdu.RESPONSE:
            if (answer := self._answers.pop(received.sequence, None)) is not None:
                answer.set_result(received.status)
            return
        body = b""
        if received.command == pdu.BIND_TRANSCEIVER:
            self.binds += 1
            self._writers.append(writer)
            body = b"fake\0"
        elif received.command == pdu.ENQUIRE_LINK:
            self.enquiries += 1
        elif received.command == pdu.SUBMIT_SM:
            task = asyncio.create_task(self._submit(writer, received))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        await self._send(writer, Pdu(received.command | pdu.RESPONSE, 0, received.sequence, body))

    async def _submit(self, writer: asyncio.StreamWriter, received: Pdu) -> None:
        part = self._part(received)
        status = self.statuses.pop(0) if self.statuses else self.judge(part.to)
        if status:
            self.refused.append((part.at, status))
            await self._send(writer, Pdu(pdu.SUBMIT_SM | pdu.RESPONSE, status, received.sequence))
            return
        self.parts.append(part)
        wants = part.wants_receipt and self.receipts != "none"
        state, error = ("DELIVRD", "000") if self.receipts == "delivered" else ("UNDELIV", "027")
        over = next((other for other in self._writers if other is not writer), None) if self.elsewhere else writer
        with suppress(TimeoutError, asyncio.CancelledError, OSError, IndexError):
            if wants and self.early:
                await self.receipt(part, state, error=error, over=over)
            if self.answering and part.to not in self.unanswered:
                body = part.message_id.encode() + b"\0"
                await self._send(writer, Pdu(pdu.SUBMIT_SM | pdu.RESPONSE, 0, received.sequence, body))
                if wants and not self.early:
                    await self.receipt(part, state, error=error, over=over)

    def _part(self, received: Pdu) -> Part:
        """A `submit_sm` has the fields of a `deliver_sm`."""
        fields = pdu.read_deliver(received.body)
        registered = received.body[received.body.index(b"\0", _after_times(received.body)) + 1]
        return Part(
            message_id=f"{next(self._ids):x}",
            to=fields.destination,
            octets=fields.octets,
            headed=bool(fields.esm_class & pdu.UDH_INDICATOR),
            wants_receipt=bool(registered),
            at=monotonic(),
        )

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, out: Pdu) -> None:
        writer.write(out.encode())
        await writer.drain()


def _after_times(body: bytes) -> int:
    """Where validity_period begins: behind service_type, two addresses, three octets and schedule_delivery_time."""
    at = body.index(b"\0") + 1
    for _ in range(2):
        at = body.index(b"\0", at + 2) + 1
    return body.index(b"\0", at + 3) + 1


@asynccontextmanager
async def fake_smsc(**how: object) -> AsyncIterator[FakeSmsc]:
    """A running one on a free port."""
    smsc = FakeSmsc(**how)  # type: ignore[arg-type]
    await smsc.start()
    try:
        yield smsc
    finally:
        await smsc.stop()
