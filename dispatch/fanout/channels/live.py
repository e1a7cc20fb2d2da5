"""The responder's open page: asked over NATS, answered by whichever web process holds its live stream."""

from __future__ import annotations

from typing import Literal

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from dispatch.fanout.channels.sender import Sent, failed
from dispatch.fanout.ring import Ring
from dispatch.identifiers import Site

ANSWER_SECONDS = 3.0


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
            answer = await self._nc.request(subject, msgspec.json.encode(ring), timeout=self._seconds)
            return Sent(_answer.decode(answer.data).outcome)
        except NoRespondersError:
            return failed("no open page")
        except NatsTimeoutError:
            return failed(f"the open page did not answer within {self._seconds:g} s")
        except msgspec.DecodeError as error:
            return failed(f"the open page's answer cannot be read: {error}")
        except NatsError as error:
            return failed(f"the message server is away: {type(error).__name__}")
