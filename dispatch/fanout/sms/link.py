"""The link to the SMSC: a session that is opened anew whenever it ends, and the pace at which texts go over it."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from dispatch.fanout.metrics import SMS_BOUND
from dispatch.fanout.sms.pdu import Broken, Submit
from dispatch.fanout.sms.session import ENQUIRE_SECONDS, Account, Session, Submitted, Take

log = structlog.get_logger()

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 10.0
"""Only after a session that lasted so long is the next one opened without a growing pause."""


class NoLink(ConnectionError):
    """There is no session now."""


class Pace:
    """Turns, evenly spaced: an SMSC counts in windows of its own, in which a burst would be too many."""

    def __init__(self, rate: float) -> None:
        self._spacing, self._next = 1 / rate, 0.0

    @property
    def behind(self) -> float:
        """In how many seconds the next turn would be."""
        return max(0.0, self._next - asyncio.get_running_loop().time())

    async def turn(self) -> None:
        wait = self.behind
        self._next = asyncio.get_running_loop().time() + wait + self._spacing
        if wait:
            await asyncio.sleep(wait)


class Link:
    """Submits over whatever session there is. `run` keeps one up and never ends by itself."""

    def __init__(self, account: Account, enquire_seconds: float = ENQUIRE_SECONDS) -> None:
        self.account, self._enquire_seconds = account, enquire_seconds
        self.pace = Pace(account.rate)
        self._session: Session | None = None

    async def submit(self, message: Submit) -> Submitted:
        """Hand over one text in its turn. Raises `NoLink`, `Ended`, `TimeoutError`, and `ValueError` for no text."""
        if self._session is not None:
            await self.pace.turn()
        if self._session is None:
            raise NoLink("no connection to the SMSC")
        return await self._session.submit(message)

    async def run(self, take: Take) -> None:
        """Keep a session up until cancelled; what arrives is given to `take`."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = asyncio.get_running_loop().time()
            reason = await self._serve(take)
            if asyncio.get_running_loop().time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log.warning("sms.no_link", smsc=repr(self.account), reason=reason, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _serve(self, take: Take) -> str:
        try:
            session = await Session.open(self.account, take, self._enquire_seconds)
            log.info("sms.bound", smsc=repr(self.account))
            self._session = session
            SMS_BOUND.set(1)
            return await session.run()
        except (OSError, Broken, asyncio.IncompleteReadError) as error:
            return str(error) or type(error).__name__
        except Exception as error:  # whatever it is, the next session may do
            log.exception("sms.link_error")
            return repr(error)
        finally:
            self._session = None
            SMS_BOUND.set(0)

    async def close(self) -> None:
        """Unbind."""
        if self._session is not None:
            with contextlib.suppress(OSError):
                await self._session.close()
