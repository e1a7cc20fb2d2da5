"""What the watchdog does in the fan-out's place while that is away: presses become cases, steps are taken, phones ring.

Presses and steps are decided by the fan-out's own code under its own commit ids, so that the log admits each once,
whoever takes it. The rings go another way (`rescue.py`). Word that somebody need not come is shared with the fan-out as
its workers share it among each other, so that nobody is told by both; but for whom is being told three seconds after
the fan-out is back, and is told by that once more, under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from nats.aio.client import Client

from dispatch.cases import Case, CaseDesk
from dispatch.errors import DispatchError
from dispatch.events import Channel, Timers
from dispatch.fanout.again import TEXTS, ask_again
from dispatch.fanout.calls import Links
from dispatch.fanout.channels import Sender, Sent
from dispatch.fanout.channels.sms import SmsSender
from dispatch.fanout.directory import Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.escalation import Escalation
from dispatch.fanout.lanes import LIMITS
from dispatch.fanout.notices import Notices, telling
from dispatch.fanout.own_channels import OwnChannels
from dispatch.fanout.presses import Presses
from dispatch.fanout.rescue import Left, Rescue
from dispatch.fanout.ring import Ring
from dispatch.fanout.rubbish import tell_rubbish
from dispatch.fanout.senders import Keys, open_senders
from dispatch.fanout.sms.texting import account_of, limits_of, texting
from dispatch.fanout.told import ToldBook
from dispatch.fanout.turns import Turns
from dispatch.fanout.untaken import Untaken
from dispatch.fanout.work import LEAVE_SECONDS, LeftToOthers, Work
from dispatch.roster import Roster, SmsPoint
from dispatch.settings import Settings

log = structlog.get_logger()

DECIDED_AT_ONCE = 16
ASKED_SECONDS = 60.0
"""More than a text takes that is tried for as long as one is (`sms.texting.TRY_SECONDS`, `lanes.Limits.budget`)."""
UNTIL_WE_STEP_BACK = ("drills", "notices")
SWALLOWED_SECONDS = 3 * LEAVE_SECONDS
"""Longer than `Work` takes to leave. What was cancelled and still runs was in `wait_for` (Python 3.11)."""


class Texts:
    """Text messages, over a session that is opened only while the fan-out is away or does not send what it is asked to.

    Many an account allows one session for each worker and no more. While there is this one, the SMSC brings receipts
    and answers to it, and they are dealt with as the fan-out does it; what comes later goes to the fan-out's own.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[SmsSender]]) -> None:
        self._opening = opening
        self._sender: SmsSender | None = None
        self._keeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Open the session, where it is not; the SMSC need not be there."""
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Unbind, where there is a session."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def send(self, ring: Ring, point: SmsPoint) -> Sent:
        """As `SmsSender` does. Raises `LeftToOthers` for word that needs a session while the fan-out has its own."""
        if self._sender is None:
            if ring.word == "called":
                self.open()
            elif self._keeping is None:
                raise LeftToOthers("text messages are left to the fan-out")
            return Sent("failed", "no connection to the SMSC", later=0.0)
        return await self._sender.send(ring, point)

    async def _keep(self) -> None:
        async with self._opening() as sender:
            self._sender = sender
            try:
                await asyncio.Event().wait()
            finally:
                self._sender = None


class StandIn:
    """Everything here begins and returns at once; what is being done is not begun twice."""

    def __init__(
        self,
        *,
        untaken: Untaken,
        escalation: Escalation,
        drills: Drills,
        rescue: Rescue,
        notices: Work,
        texts: Texts | None,
    ) -> None:
        self._untaken, self._escalation, self._drills, self._notices = untaken, escalation, drills, notices
        self._rescue, self._texts = rescue, texts
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, float] = {}
        """By the loop's clock, when those that were cancelled have ended, or never heard of it."""

    def take_presses(self, after: int | None, before: datetime) -> None:
        """Take the presses behind the stream sequence `after` (None: there are none) that came before `before`."""
        if after is not None:
            self._begin("presses", partial(self._untaken.take, after, before))

    def take_steps(self, cases: Collection[Case]) -> None:
        """Take the steps and next channels of these cases that are due, and end drills until we step back."""
        self._begin("drills", self._drills.run)
        for case in cases:
            self._begin(case.id, partial(self._escalation.look, case.id))

    def ring(self, cases: Collection[Case], left: Left) -> None:
        """Ring what these owe and is `left` to us, and hear what the SMSC brings while the fan-out does not."""
        if self._texts is not None and left.gone_since is not None:
            self._texts.open()
        self._rescue.ring(cases, left)

    def tell(self) -> None:
        """Tell who need not come, until we step back."""
        self._begin("notices", self._notices.run)

    def step_back(self, stuck: Collection[str] = ()) -> None:
        """The fan-out does its work again, but for the jobs that are `stuck`."""
        if "fanout" not in stuck and "presses" not in self._tasks:
            self._untaken.forget()
        for name in UNTIL_WE_STEP_BACK:
            if name not in stuck and (task := self._tasks.get(name)) is not None:
                self._end(name, task)
        if self._texts is not None and not self._rescue.is_busy and "calls" not in stuck:
            # Word that is under way there is left to the fan-out, whose rings need a session.
            self._begin("texts", self._texts.close)

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._rescue.close()
        if self._texts is not None:
            await self._texts.close()

    def _end(self, name: str, task: asyncio.Task[None]) -> None:
        """Cancel it, and let it finish what it has in hand; once more only where that was swallowed on its way."""
        at = asyncio.get_running_loop().time()
        if at < self._ends.get(name, at):
            return
        self._ends[name] = at + SWALLOWED_SECONDS
        task.cancel()

    def _begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._tasks:
            task = self._tasks[name] = asyncio.create_task(self._do(name, work))
            task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        del self._tasks[name]
        self._ends.pop(name, None)

    async def _do(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except DispatchError as error:  # the next look tries again
            log.warning("stand_in.later", what=name, reason=error.detail)
        except Exception:
            log.exception("stand_in.failed", what=name)


@asynccontextmanager
async def standing_in(
    nc: Client, *, desk: CaseDesk, roster: Roster, links: Links, keys: Keys, settings: Settings
) -> AsyncIterator[StandIn]:
    """A stand-in with channels of its own."""
    async with AsyncExitStack() as stack:
        senders: dict[Channel, Sender] = await open_senders(stack, nc, keys, settings)
        texts = None
        if (account := account_of(settings)) is not None:
            texts = Texts(lambda: texting(nc, account, site=settings.site, desk=desk, roster=roster))
            senders["sms"] = texts
        channels = OwnChannels(roster, senders, {**LIMITS, "sms": limits_of(settings)})
        texts_again = partial(ask_again, nc, settings.site, TEXTS, seconds=ASKED_SECONDS)
        rescue = Rescue(desk, roster, links, channels, texts_again)
        turns, directory = Turns(DECIDED_AT_ONCE), Directory(roster)
        drills = Drills(nc, settings.site, desk)
        rubbish = partial(tell_rubbish, nc, settings.site)
        presses = Presses(desk, directory=directory, turns=turns, drills=drills, tell_rubbish=rubbish)
        book = ToldBook(nc, settings.site)
        notices = Notices(desk, directory=directory, links=links, sending=channels, turns=turns, book=book)
        work = Work(nc, settings.site, telling(settings.site, notices))
        escalation = Escalation(desk, roster=roster, timers=Timers(nc, settings.site), turns=turns)
        stand_in = StandIn(
            untaken=Untaken(nc, settings.site, presses),
            escalation=escalation,
            drills=drills,
            rescue=rescue,
            notices=work,
            texts=texts,
        )
        stack.push_async_callback(stand_in.close)
        yield stand_in
