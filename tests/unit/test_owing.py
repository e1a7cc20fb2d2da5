"""What the watchdog knows of a case: never less than it has seen, and reckoned once for all looks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import cast

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from dispatch.cases import Case, decide
from dispatch.cases import due_at as reckoned
from dispatch.events import AlarmRaised, CaseLog, CaseResolved, Commit
from dispatch.fanout import owing
from dispatch.fanout.owing import Owing
from dispatch.identifiers import CaseId, CommitId
from tests.unit.escalation_story import CASE, at, carry_out, press, recorded

OPENED = press()
DONE = recorded(1, anna="sent", bo="sent", li="sent")


def commits() -> tuple[Commit, Commit]:
    case, raised = carry_out(OPENED)
    came = decide(case, DONE)
    return (
        Commit(id=OPENED.id, case=CASE, events=tuple(raised), seq=1, stored_at=at(0)),
        Commit(id=DONE.id, case=CASE, events=tuple(came), seq=2, stored_at=at(1)),
    )


class Nobody:
    """A connection that is not asked."""

    def jetstream(self) -> None: ...


class SlowLog:
    """Answers what it had when it was asked; `meanwhile` a commit comes over the other way."""

    site = "s"

    def __init__(self) -> None:
        self.book = Owing(cast("Client", Nobody()), cast("CaseLog", self))
        self.meanwhile: Commit | None = None

    async def load(self, _case: CaseId, **_: int) -> list[Commit]:
        if (commit := self.meanwhile) is not None:
            self.meanwhile = None
            await self.book._see(commit)
        return []


async def test_what_the_log_had_before_takes_back_nothing_that_has_come_since() -> None:
    log = SlowLog()
    opened, log.meanwhile = commits()
    await log.book._see(opened)
    assert await log.book.overdue(at(60)) == []
    assert await log.book.overdue(at(60)) == [], "nor later"


async def test_a_case_that_ends_while_the_log_is_asked_is_not_brought_back() -> None:
    log = SlowLog()
    opened, done = commits()
    await log.book._see(opened)
    closed = Commit(
        id=CommitId("r"),
        case=CASE,
        events=(*done.events, CaseResolved(at=at(2), by="operator:wang", resolution="helped")),
        seq=2,
        stored_at=at(2),
    )
    log.meanwhile = closed
    assert await log.book.overdue(at(60)) == []
    assert log.book._cases == {}


class TogetherLog(SlowLog):
    """Answers when two cases are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Barrier(2)

    async def load(self, _case: CaseId, **_: int) -> list[Commit]:
        await self.asked.wait()
        return []


async def test_cases_are_confirmed_together() -> None:
    book, (opened, _) = TogetherLog().book, commits()
    raised, *rest = opened.events
    assert isinstance(raised, AlarmRaised)
    for name in ("h-1-AAAAAAAA", "h-1-BBBBBBBB"):
        case = CaseId(name)
        await book._see(replace(opened, case=case, events=(replace(raised, case=case), *rest)))
    async with asyncio.timeout(20):
        assert len(await book.overdue(at(60))) == 2


async def test_what_is_due_on_a_case_is_reckoned_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def due_at(case: Case) -> datetime | None:
        asked.append(case.seq)
        return reckoned(case)

    monkeypatch.setattr(owing, "due_at", due_at)
    book, (opened, done) = SlowLog().book, commits()
    for commit in (opened, done):
        await book._see(commit)
        for _ in range(3):
            assert [case.seq for case in await book.late(at(60))] == [commit.seq]
    assert asked == [1, 2]
