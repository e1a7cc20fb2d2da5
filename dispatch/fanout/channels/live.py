"""The responder's open page: asked over NATS, answered by whichever web process holds its live stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.events import inbox_of
from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.ring import Ring
from dispatch.identifiers import PersonId, Site

ANSWER_SECONDS = 3.0
NOBODY_SUBSCRIBED = "503"
NO_PAGE = failed("no open page")


class _Answer(msgspec.Struct):
    outcome: Literal["delivered", "sent"]


_answer = msgspec.json.Decoder(_Answer)


Heard = Callable[[Ring, Sent], None]


class LiveSender:
    """Rings on `live.<site>.ring.<person>`; nobody subscribed means that no page is open."""

    def __init__(
        self,
        nc: Client,
        site: Site | str,
        *,
        seconds: float = ANSWER_SECONDS,
        may_have_page: Callable[[PersonId], bool] = lambda _: True,
    ) -> None:
        """Those of whom `may_have_page` knows that they have none are not asked."""
        self._nc, self._site, self._seconds, self._may_have_page = nc, site, seconds, may_have_page

    async def send(self, ring: Ring, _point: object = None) -> Sent:
        """Ring the open page and wait for it to say so."""
        said: list[Sent] = []
        await self.send_all([ring], lambda _, sent: said.append(sent))
        return said[0]

    async def send_all(self, rings: Sequence[Ring], heard: Heard) -> None:
        """Ring the open pages of all `rings` at once; `heard` is told once of each, as soon as that is known.

        With a task and a clock for each, asking the many who have no page open costs more than the question.
        """
        asked = _Asked(heard)
        for ring in rings:
            if self._may_have_page(ring.responder):
                asked.add(ring)
            else:
                heard(ring, NO_PAGE)
        if not asked.left:
            return
        try:
            inbox = await inbox_of(self._nc)
            with inbox.listening(asked.hear) as reply:
                for number, ring in list(asked.left.items()):
                    try:
                        await self._ask(ring, f"{reply}.{number}")
                    except NatsError as error:  # the others may be asked, and answer, all the same
                        asked.tell(number, _away(error))
                async with asyncio.timeout(self._seconds):
                    await asked.all_told
        except TimeoutError:
            why = failed(f"the open page did not answer within {self._seconds:g} s")
        except NatsError as error:
            why = _away(error)
        else:
            return
        for number in list(asked.left):
            asked.tell(number, why)

    async def _ask(self, ring: Ring, reply: str) -> None:
        await self._nc.publish(f"live.{self._site}.ring.{ring.responder}", msgspec.json.encode(ring), reply=reply)


class _Asked:
    """The rings of which nothing is known yet, by number; `heard` is told once of each."""

    def __init__(self, heard: Heard) -> None:
        self.left: dict[str, Ring] = {}
        self.all_told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = heard

    def add(self, ring: Ring) -> None:
        """Before any of them is told of."""
        self.left[str(len(self.left))] = ring

    def hear(self, message: Msg) -> None:
        self.tell(message.subject.rpartition(".")[2], _said(message))

    def tell(self, number: str, sent: Sent) -> None:
        ring = self.left.pop(number, None)
        if ring is None:  # each process with an open page answers; the first is enough
            return
        self._heard(ring, sent)
        if not self.left and not self.all_told.done():  # nobody waits any more
            self.all_told.set_result(None)


def _away(error: NatsError) -> Sent:
    return failed(f"the message server is away: {type(error).__name__}")


def _said(message: Msg) -> Sent:
    if (message.headers or {}).get("Status") == NOBODY_SUBSCRIBED:
        return NO_PAGE
    try:
        return Sent(_answer.decode(message.data).outcome)
    except msgspec.DecodeError as error:
        return failed(f"the open page's answer cannot be read: {error}")
