"""What goes first: presses before the steps and the notices of a storm, and rings before what stays in the house."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dispatch.cases import Case, evolve
from dispatch.errors import Unavailable, Unreadable
from dispatch.events import CaseResolved, Channel, PlannedCall, Press, Reason, RespondersCalled, encode_press
from dispatch.events.codec import commit_headers, encode_events
from dispatch.fanout.calls import Calls, RingKey, owed_of
from dispatch.fanout.channels import Sent
from dispatch.fanout.channels.live import Heard
from dispatch.fanout.directory import Page
from dispatch.fanout.escalation import Escalation
from dispatch.fanout.notices import Notices
from dispatch.fanout.presses import Presses
from dispatch.fanout.recorder import Recorder
from dispatch.fanout.ring import Ring, Scene
from dispatch.fanout.turns import Place, Rank, Turns
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PersonId, PressId, Site
from tests.rings import alarm

AT = datetime(2026, 11, 21, tzinfo=UTC)
CASE = CaseId("h-1-7K3M9QXZ")
SCENE = Scene(area="a", name="n", address="x")
REASONS = (Reason("member", "g-1"),)


class Desk:
    """Says in which order it was asked, and knows nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.log = self

    async def press(self, *_: object) -> None:
        self.asked.append("press")
        raise Unavailable("not here")

    async def load(self, _case: CaseId) -> Case:
        self.asked.append("step")
        return Case()

    async def head(self, _household: HouseholdId) -> None:
        self.asked.append("notice")
        raise Unavailable("not here")


class NoDrills:
    """The book of drills where there is none."""

    async def is_too_late(self, _press: Press) -> bool:
        return False


def message(subject: str, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Any:
    metadata = SimpleNamespace(timestamp=AT, sequence=SimpleNamespace(stream=7), num_delivered=1)
    return SimpleNamespace(subject=subject, data=body, headers=headers, metadata=metadata)


async def test_presses_are_decided_before_steps_and_steps_before_notices() -> None:
    turns, desk = Turns(1), Desk()
    parts = cast("Any", None)
    presses = Presses(
        cast("Any", desk), directory=parts, turns=turns, drills=cast("Any", NoDrills()), tell_rubbish=parts
    )
    escalation = Escalation(cast("Any", desk), roster=parts, timers=parts, turns=turns)
    notices = Notices(cast("Any", desk), directory=parts, links=parts, sending=parts, turns=turns, book=parts)
    closed = encode_events([CaseResolved(at=AT, by="operator:wang", resolution="helped", text="")])
    headers = commit_headers(Site("s"), CASE, CommitId("c-1"), AT)
    press = Press(press=PressId("press-1"), household=HouseholdId("h-1"), device="d", source="http", pressed_at=AT)
    subject, press_headers, body = encode_press(press, Site("s"))
    async with turns.at(Place(Rank.FIRST, drill=False, area="h-0")):
        tasks = []
        for work in (
            notices.handle(message(f"cases.s.h-1.{CASE}", closed, headers)),
            escalation.due(message(f"due.s.{CASE}")),
            presses.handle(message(subject, body, press_headers)),
        ):
            tasks.append(asyncio.create_task(work))
            await asyncio.sleep(0)
        assert desk.asked == []
    await asyncio.gather(*tasks, return_exceptions=True)
    assert desk.asked == ["press", "step", "notice"]


class Rung:
    """A way to send that notes in which turn of the event loop each channel was rung."""

    def __init__(self) -> None:
        self.turn, self.turns = 0, dict[str, set[int]]()
        self._count()

    def _count(self) -> None:
        self.turn += 1
        asyncio.get_running_loop().call_soon(self._count)

    async def send(self, _ring: Ring, channel: Channel, *_: object, **__: object) -> Sent:
        self.turns.setdefault(channel, set()).add(self.turn)
        return Sent("sent")

    async def ring_pages(self, rings: Sequence[Ring], heard: Heard) -> None:
        for ring in rings:
            heard(ring, await self.send(ring, "live"))


class Pages:
    """A directory that has everybody's page, and a desk that takes every outcome."""

    async def page(self, _case: Case, _wanted: object) -> Page:
        return Page({}, SCENE)

    async def handle(self, _case: CaseId, _command: object) -> SimpleNamespace:
        return SimpleNamespace(case=None)


class Late:
    """A message that notes when it is read."""

    def __init__(self, order: list[str]) -> None:
        self.subject, self.headers, self._order = f"cases.s.h-1.{CASE}", None, order

    @property
    def metadata(self) -> None:
        self._order.append("read")
        raise Unreadable("it is read too soon or not at all")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_whom_a_commit_calls_is_called_before_others_read_what_it_says(order: tuple[int, ...]) -> None:
    parts, seen = cast("Any", None), list[str]()
    escalation = Escalation(parts, roster=parts, timers=parts, turns=parts)
    notices = Notices(parts, directory=parts, links=parts, sending=parts, turns=parts, book=parts)
    called = [PlannedCall(responder=PersonId(f"p-{n}"), reasons=REASONS, channels=("webhook",)) for n in range(9)]
    case = evolve(evolve(Case(), alarm()), RespondersCalled(at=AT, step=0, calls=tuple(called)))
    pages = cast("Any", Pages())
    links = cast("Any", SimpleNamespace(make=lambda *_: "https://x.example/r/abc"))

    class Noting(Rung):
        async def send(self, *_: object, **__: object) -> Sent:
            seen.append("rung")
            return Sent("sent")

    calls = Calls(pages, directory=pages, links=links, sending=cast("Any", Noting()))
    asked: set[RingKey] = {(0, one.responder, "webhook") for one in called}
    late = cast("Any", Late(seen))
    work = [
        calls._make(case, owed_of(case, asked), Recorder(pages, case.id)),
        escalation.seen(late),
        notices.handle(late),
    ]
    await asyncio.gather(*(work[place] for place in order), return_exceptions=True)
    assert seen == ["rung"] * len(called) + ["read"] * 2


async def test_what_leaves_the_house_is_written_before_open_pages_are_asked() -> None:
    called = [
        PlannedCall(responder=PersonId(f"p-{n}"), reasons=REASONS, channels=("live", "webhook")) for n in range(9)
    ]
    case = evolve(evolve(Case(), alarm()), RespondersCalled(at=AT, step=0, calls=tuple(called)))
    rung, pages = Rung(), cast("Any", Pages())
    links = cast("Any", SimpleNamespace(make=lambda *_: "https://x.example/r/abc"))
    calls = Calls(pages, directory=pages, links=links, sending=cast("Any", rung))
    asked: set[RingKey] = {(0, one.responder, channel) for one in called for channel in one.channels}
    await calls._make(case, owed_of(case, asked), Recorder(pages, case.id))
    assert max(rung.turns["webhook"]) < min(rung.turns["live"])
