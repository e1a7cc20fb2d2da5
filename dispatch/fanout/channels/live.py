"""The responder's open page: asked over NATS, answered by whichever web process holds its live stream."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.events import inbox_of
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.ring import Ring
from dispatch.identifiers import Site

ANSWER_SECONDS = 3.0
NOBODY_SUBSCRIBED = "503"


class _Answer(msgspec.Struct):
    outcome: Literal["delivered", "sent"]


_answer = msgspec.json.Decoder(_Answer)


class LiveSender:
    """Rings on `live.<site>.ring.<person>`; nobody subscribed means that no page is open."""

    def __init__(self, nc: Client, site: Site | str, *, seconds: float = ANSWER_SECONDS) -> None:
        self._nc, self._site, self._seconds = nc, site, seconds

    async def send(self, ring: Ring, _point: object = None) -> Sent:
        """Ring the open page and wait for it to say so."""
        subject = f"live.{self._site}.ring.{ring.responder}"
        try:
            answer = await self._ask(subject, msgspec.json.encode(ring))
            if (answer.headers or {}).get("Status") == NOBODY_SUBSCRIBED:
                return failed("no open page")
            return Sent(_answer.decode(answer.data).outcome)
        except TimeoutError:
            return failed(f"the open page did not answer within {self._seconds:g} s")
        except msgspec.DecodeError as error:
            return failed(f"the open page's answer cannot be read: {error}")
        except NatsError as error:
            return failed(f"the message server is away: {type(error).__name__}")

    async def _ask(self, subject: str, body: bytes) -> Msg:
        """One answer. A storm asks for many people at once, and the client's own `request` is made for a few."""
        answered: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        def hear(message: Msg) -> None:
            if not answered.done():  # each process with an open page answers; the first is enough
                answered.set_result(message)

        inbox = await inbox_of(self._nc)
        with inbox.listening(hear) as reply:
            await self._nc.publish(subject, body, reply=reply)
            async with asyncio.timeout(self._seconds):
                return await answered
