"""Workers that are bound to an SMSC of ours, and what the case knows of the texts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from dispatch.cases import Case, CaseDesk, Resolve
from dispatch.clock import now
from dispatch.fanout import worker
from dispatch.fanout.lanes import Limits
from dispatch.fanout.sms.texting import limits_of
from dispatch.identifiers import CaseId, CommitId
from dispatch.settings import Settings
from tests.smsc.fake import FakeSmsc
from tests.village import Village, outcomes
from tests.waiting import until
from tests.workers import working

ANNA, BO = "+8613800138000", "+8613900139000"
STRANGER = "+8613700137000"


def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is not taken is tried again for three seconds, in place of ten."""

    def limits(settings: Settings) -> Limits:
        return replace(limits_of(settings), budget=3.0)

    monkeypatch.setattr(worker, "limits_of", limits)


@asynccontextmanager
async def texting(village: Village, settings: Settings, smsc: FakeSmsc, workers: int = 1) -> AsyncIterator[None]:
    """So many workers, each bound to the SMSC."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(working(village, settings))

        async def all_bound() -> bool:
            return smsc.bound == workers

        await until(all_bound, "the workers to be bound")
        yield


def of(case: Case, person: str) -> tuple[str, str | None, int] | None:
    return outcomes(case).get((person, "sms"))


async def where_it_is(village: Village, case: CaseId, person: str, outcome: str) -> Case:
    def is_so(case: Case) -> bool:
        known = of(case, person)
        return known is not None and known[0] == outcome

    return await village.case_where(case, is_so, f"{person} to be {outcome}")


async def close(village: Village, case: CaseId) -> None:
    command = Resolve(id=CommitId(f"close-{case}"), at=now(), by="operator:test", resolution="helped")
    await CaseDesk(village.log).handle(case, command)


async def happens(condition: Callable[[], bool], what: str) -> None:
    async def so() -> bool:
        return condition()

    await until(so, what)
