"""Following the case that a press is on, as facts for a machine and lines for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime

import structlog
from nats.aio.client import Client

from dispatch.cases import Case, fold
from dispatch.cli.times import time_of_day
from dispatch.errors import Unreadable
from dispatch.events import (
    CASES,
    CallsRecorded,
    CaseCancelled,
    CaseResolved,
    Commit,
    Event,
    Press,
    ResponderReplied,
    RespondersCalled,
    commit_of,
    follow,
    live_cases,
)
from dispatch.identifiers import CaseId, PersonId, Site

log = structlog.get_logger()

Fact = dict[str, object]
"""What happened: `event`, `at`, and whatever else is known of it."""

WORDS = {
    "called": "呼叫 called",
    "unknown": "未知 unknown",
    "failed": "失败 failed",
    "sent": "已发送 sent",
    "delivered": "已送达 delivered",
    "seen": "已查看 seen",
    "going": "前往 going",
    "cannot": "无法前往 cannot come",
    "on_scene": "到场 on scene",
    "resolved": "已结案 resolved",
    "cancelled": "已撤销 cancelled",
}


async def commits_of(nc: Client, site: Site | str, press: Press) -> AsyncIterator[tuple[Case, Commit]]:
    """Each commit of the case that `press` is on, with the case after it, from that press on and for ever."""
    cases: dict[CaseId, Case] = {}
    async for message in follow(nc, CASES, live_cases(site, press.household)):
        try:
            commit = commit_of(message)
        except Unreadable as error:
            log.warning("case.unreadable", household=press.household, reason=error.detail)
            continue
        case = cases[commit.case] = fold([commit], cases.get(commit.case))
        if press.press in case.presses:
            yield case, commit


def is_helped(case: Case) -> bool:
    """Whether somebody said that they come or are there."""
    return any(reply.answer != "cannot" for reply in case.replies.values())


def facts(event: Event) -> Iterator[Fact]:
    """What `event` tells somebody who waits for help."""
    match event:
        case RespondersCalled():
            for call in event.calls:
                over = ", ".join(call.channels)
                yield {"event": "called", "at": event.at, "responder": call.responder, "channel": over}
        case CallsRecorded():
            for outcome in event.outcomes:
                yield {
                    "event": outcome.outcome,
                    "at": outcome.at,
                    "responder": outcome.responder,
                    "channel": outcome.channel,
                    "reason": outcome.reason,
                }
        case ResponderReplied():
            yield answer(event.responder, event.answer, event.at, event.eta_minutes)
        case CaseResolved() | CaseCancelled():
            ended = "resolved" if isinstance(event, CaseResolved) else "cancelled"
            yield {"event": ended, "at": event.at, "by": event.by}
        case _:
            return


def answer(responder: PersonId, given: str, at: datetime, eta_minutes: int | None) -> Fact:
    """The fact that `responder` answered."""
    return {"event": given, "at": at, "responder": responder, "eta_minutes": eta_minutes}


def line(fact: Fact, names: Mapping[PersonId, str]) -> str:
    """`fact` for a person, its time by the clocks of the site."""
    at, who = fact["at"], fact.get("responder") or fact.get("by")
    assert isinstance(at, datetime)  # noqa: S101 - every fact has it
    name = names.get(PersonId(str(who)), "")
    parts = [time_of_day(at), f"{name} ({who})" if name else str(who), WORDS[str(fact["event"])]]
    if channel := fact.get("channel"):
        parts.append(str(channel))
    if (eta := fact.get("eta_minutes")) is not None:
        parts.append(f"{eta} 分钟 min")
    if reason := fact.get("reason"):
        parts.append(f"({reason})")
    return "  ".join(parts)
