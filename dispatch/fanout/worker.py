"""The fan-out worker: presses become cases, and cases become calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

import structlog
from nats.aio.client import Client

from dispatch.cases import CaseDesk
from dispatch.events import CASES, INTAKE, TIMERS, Channel, Timers, due_subject, live_cases, press_subject
from dispatch.fanout.again import JOBS, TEXTS, answering_again
from dispatch.fanout.calls import Calls, Links
from dispatch.fanout.channels import Sender
from dispatch.fanout.directory import Directory
from dispatch.fanout.drills import Drills
from dispatch.fanout.escalation import Escalation
from dispatch.fanout.lanes import LIMITS
from dispatch.fanout.metrics import DECISIONS_WAITING
from dispatch.fanout.notices import Notices, telling
from dispatch.fanout.open_pages import MayHavePage
from dispatch.fanout.overheard import overhearing
from dispatch.fanout.presses import Presses
from dispatch.fanout.rubbish import tell_rubbish
from dispatch.fanout.senders import Keys, open_senders
from dispatch.fanout.sending import Sending
from dispatch.fanout.sms.texting import account_of, limits_of, texting
from dispatch.fanout.told import ToldBook
from dispatch.fanout.turns import Rank, Turns
from dispatch.fanout.work import Job, Work
from dispatch.identifiers import Site
from dispatch.roster import Roster
from dispatch.settings import Settings

log = structlog.get_logger()

DECIDED_AT_ONCE = 64
"""Presses, steps and notices that are read and decided at the same time; more would only wait for the log together."""
PRESSES_IN_HAND = 1024
CALLS_IN_HAND = 4096
"""Cases with calls under way; a storm in which each has one endpoint that hangs must fit."""
STEPS_IN_HAND = 2048


class Fanout:
    """One worker. Any number of them may run on one site and share the work."""

    def __init__(
        self,
        nc: Client,
        *,
        site: Site | str,
        desk: CaseDesk,
        roster: Roster,
        links: Links,
        keys: Keys,
        settings: Settings,
    ) -> None:
        self._nc, self._site, self._settings = nc, site, settings
        self._desk, self._roster, self._links, self._keys = desk, roster, links, keys

    async def run(self) -> None:
        """Work until cancelled; then take nothing new, finish what is in hand within three seconds, and return."""
        async with AsyncExitStack() as stack:
            directory = Directory(self._roster)
            turns = Turns(DECIDED_AT_ONCE)
            for rank in Rank:
                DECISIONS_WAITING.labels(rank.name.lower()).set_function(partial(turns.waiting, rank))
            drills = Drills(self._nc, self._site, self._desk)
            presses = Presses(
                self._desk,
                directory=directory,
                turns=turns,
                drills=drills,
                tell_rubbish=partial(tell_rubbish, self._nc, self._site),
            )
            await stack.enter_async_context(overhearing(self._nc, self._site, presses.overheard))
            limits = {**LIMITS, "sms": limits_of(self._settings)}
            sending = Sending(self._roster, await self._senders(stack), limits)
            calls = Calls(self._desk, directory=directory, links=self._links, sending=sending)
            notices = Notices(
                self._desk,
                directory=directory,
                links=self._links,
                sending=sending,
                turns=turns,
                book=ToldBook(self._nc, self._site),
            )
            escalation = Escalation(self._desk, roster=self._roster, timers=Timers(self._nc, self._site), turns=turns)
            jobs = (
                Job(
                    stream=INTAKE,
                    subject=press_subject(self._site, "*"),
                    name="fanout",
                    handler=presses.handle,
                    at_once=PRESSES_IN_HAND,
                ),
                Job(
                    stream=CASES,
                    subject=live_cases(self._site),
                    name="calls",
                    handler=calls.handle,
                    at_once=CALLS_IN_HAND,
                ),
                Job(
                    stream=CASES,
                    subject=live_cases(self._site),
                    name="escalation",
                    handler=escalation.seen,
                    at_once=STEPS_IN_HAND,
                ),
                telling(self._site, notices),
                Job(
                    stream=TIMERS,
                    subject=due_subject(self._site, "*"),
                    name="due",
                    handler=escalation.due,
                    at_once=STEPS_IN_HAND,
                ),
            )
            again = {job.name: job.handler for job in jobs if job.name in JOBS}
            again[TEXTS] = partial(calls.handle, only="sms")
            async with answering_again(self._nc, self._site, again), asyncio.TaskGroup() as group:
                group.create_task(drills.run())
                for job in jobs:
                    group.create_task(Work(self._nc, self._site, job).run())

    async def _senders(self, stack: AsyncExitStack) -> Mapping[Channel, Sender]:
        may_have_page = MayHavePage(self._nc, self._site)
        await stack.enter_async_context(may_have_page.listening())
        senders = await open_senders(stack, self._nc, self._keys, self._settings, may_have_page=may_have_page)
        if (account := account_of(self._settings)) is not None:
            texts = texting(self._nc, account, site=self._site, desk=self._desk, roster=self._roster)
            senders["sms"] = await stack.enter_async_context(texts)
        return senders
