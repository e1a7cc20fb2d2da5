"""A button that sends as fast as it can is thrown out, and its token is held outside for a while.

nats-server stores what a button sends the moment it comes, and can limit nobody's messages a second. One connection
at line rate fills the queue in front of the stream of presses within a tenth of a second, and then the presses of
others are refused until the disk has taken what is in it. So the server is asked twice a second, over its system
account, how much each button has sent. That ends a flood, and says whose it is; what keeps the first second of one
from others is a limit of bytes a second in front of the server (`deploy/mqtt-proxy.conf`).

No press is lost to it unsaid: while the token is held the button is refused when it signs in, and hears no answer.
Other tokens of the household, and other connections with this one that send little, are not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from dispatch.clock import Clock, now
from dispatch.errors import SetupError
from dispatch.events import Incident, IncidentBook, connect
from dispatch.events.stopping import stopping
from dispatch.identifiers import Site
from dispatch.intake.holds import Hold, Holds

log = structlog.get_logger()

SERVER = "$SYS.REQ.SERVER"
MOST_SENT_FIRST = msgspec.json.encode({"auth": True, "sort": "msgs_from", "limit": 256})
"""Nobody is missed by the limit: beyond the services, only what is mad has sent more than a few presses."""
LOOK_SECONDS = 0.5
AGAIN_SECONDS = 10.0
MOST_AT_ONCE, MOST_A_SECOND = 100, 50
"""A key that is stuck repeats some 30 times a second; a button that was long without a network sends what it kept."""
KIND = "button"


class _Connection(msgspec.Struct):
    cid: int
    start: str
    type: str = ""
    in_msgs: int = 0
    authorized_user: str = ""


class _Connections(msgspec.Struct):
    server_id: str
    now: str
    connections: list[_Connection] = []


class _Answer(msgspec.Struct):
    data: _Connections


def signed_in_as(site: str, household: str, token: str) -> str:
    """The name under which the server knows the connections of a button."""
    return f"{site}/{household}/{token}"


class Mad(msgspec.Struct, frozen=True):
    """A button whose connections `cids` have `sent` so many messages since the look before."""

    server: str
    cids: tuple[int, ...]
    user: str
    sent: int


class Counts:
    """How much each button, over all its connections, has sent between two looks at a server."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[datetime, dict[int, int]]] = {}

    def mad(self, answer: bytes) -> Iterator[Mad]:
        """Those that sent too much since the server's answer before. Raises `ValueError` for one that is none.

        What that answer did not list, for others had sent more, is measured from the start of its connection.
        """
        look = msgspec.json.decode(answer, type=_Answer).data
        at = datetime.fromisoformat(look.now)
        since, before = self._before.get(look.server_id, (datetime.min.replace(tzinfo=UTC), {}))
        self._before[look.server_id] = (at, {one.cid: one.in_msgs for one in look.connections})
        buttons: dict[str, list[_Connection]] = {}
        for one in look.connections:
            if one.type == "mqtt" and one.in_msgs > before.get(one.cid, 0):
                buttons.setdefault(one.authorized_user, []).append(one)
        for user, of in buttons.items():
            sent = sum(one.in_msgs - before.get(one.cid, 0) for one in of)
            began = min(since if one.cid in before else datetime.fromisoformat(one.start) for one in of)
            seconds = (at - began).total_seconds()
            if sent > MOST_AT_ONCE and sent > MOST_A_SECOND * seconds:
                yield Mad(look.server_id, tuple(one.cid for one in of), user, sent)


class Expelling:
    """Watches the buttons of one site over the system account at `system_url`; who is held stands in `holds`."""

    def __init__(self, nc: Client, site: Site | str, system_url: str, holds: Holds, *, clock: Clock = now) -> None:
        self._nc, self._site, self._url, self._holds, self._clock = nc, Site(site), system_url, holds, clock
        self._subject = f"ops.{site}.held"
        self._book, self._counts = IncidentBook(nc, self._site), Counts()
        self._told: dict[str, Incident] | None = None

    async def run(self) -> None:
        """Watch until cancelled. Every process that admits buttons does; they tell each other whom they hold."""
        heard = await self._nc.subscribe(self._subject, cb=self._hear)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look())
                group.create_task(self._keep_book())
        finally:
            with contextlib.suppress(NatsError):
                await heard.unsubscribe()

    async def _look(self) -> None:
        self._system = await self._connected()
        try:
            answers, self._kicked = self._system.new_inbox(), self._system.new_inbox()
            await self._system.subscribe(answers, cb=self._judge)
            while not stopping():
                with contextlib.suppress(NatsError):  # not connected: at the next look
                    await self._system.publish(f"{SERVER}.PING.CONNZ", MOST_SENT_FIRST, reply=answers)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._system.close()

    async def _connected(self) -> Client:
        while True:
            try:
                return await connect(self._url, "buttons")
            except SetupError as error:
                log.warning("buttons.unwatched", reason=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _judge(self, message: Msg) -> None:
        try:
            for mad in self._counts.mad(message.data):
                if mad.user.startswith(f"{self._site}/"):
                    await self._expel(mad)
        except ValueError as error:
            log.warning("buttons.unreadable", reason=str(error))
        except NatsError as error:  # it is still there at the next look
            log.warning("buttons.not_expelled", error=repr(error))

    async def _expel(self, mad: Mad) -> None:
        household, _, token = mad.user.removeprefix(f"{self._site}/").rpartition("/")
        hold = self._holds.hold(token, household, self._clock())
        log.error("button.expelled", household=household, token=token, sent=mad.sent, until=hold.until)
        for cid in mad.cids:  # the server does nothing for those who want no answer
            await self._system.publish(f"{SERVER}.{mad.server}.KICK", b'{"cid":%d}' % cid, reply=self._kicked)
        await self._nc.publish(self._subject, msgspec.json.encode(hold))

    async def _hear(self, message: Msg) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            self._holds.take(msgspec.json.decode(message.data, type=Hold))

    async def _keep_book(self) -> None:
        while not stopping():
            try:
                await self._are({incident.name: incident for incident in map(_incident, self._shown())})
            except (NatsError, TimeoutError) as error:  # the log is busy with what the button sent
                log.warning("buttons.not_told", error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)

    def _shown(self) -> list[Hold]:
        return self._holds.shown(self._clock())

    async def _are(self, incidents: dict[str, Incident]) -> None:
        if self._told is None:
            self._told = await self._book.told(f"{KIND}.>")
        for name, incident in incidents.items():
            if self._told.get(name) != incident:
                await self._book.tell(incident)
                self._told[name] = incident
        for name in self._told.keys() - incidents.keys():
            await self._book.over(name)
            del self._told[name]


def _incident(hold: Hold) -> Incident:
    seconds = round((hold.until - hold.begun).total_seconds())
    return Incident(
        kind=KIND,
        what=hold.household,
        since=hold.since,
        detail=f"{hold.household} 户一个按键不停发送，已断开，{seconds} 秒内不得登录，请电话核实 / "
        f"a button of household {hold.household} sent without end and was thrown out; its token {hold.token} is held "
        f"outside for {seconds} s: telephone them",
    )
