"""The stand-in steps back, and opens no session that the fan-out has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dispatch.fanout import stand_in
from dispatch.fanout.channels.sms import SmsSender
from dispatch.fanout.stand_in import StandIn, Texts
from dispatch.fanout.work import LeftToOthers
from dispatch.roster import SmsPoint

POINT = SmsPoint(number="+8613800000000")


class Swallowing:
    """Work whose first cancel is lost on its way, as `wait_for` of Python 3.11 may lose it."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > 1:
                    raise


def standing_in(notices: Swallowing) -> StandIn:
    nothing = cast("Any", SimpleNamespace(forget=lambda: None, is_busy=False))
    return StandIn(
        untaken=nothing, escalation=nothing, drills=nothing, rescue=nothing, notices=cast("Any", notices), texts=None
    )


@pytest.mark.parametrize(("patience", "cancels"), [(stand_in.SWALLOWED_SECONDS, 1), (-1.0, 2)])
async def test_a_cancel_that_was_swallowed_is_repeated_when_the_first_has_had_its_time(
    monkeypatch: pytest.MonkeyPatch, patience: float, cancels: int
) -> None:
    monkeypatch.setattr(stand_in, "SWALLOWED_SECONDS", patience)
    notices = Swallowing()
    stood_in = standing_in(notices)
    stood_in.tell()
    await asyncio.sleep(0)
    for _ in range(3):
        stood_in.step_back()
        await asyncio.sleep(0)
    assert notices.cancelled == cancels


async def test_what_the_fan_out_still_leaves_lying_is_not_stepped_back_from() -> None:
    notices = Swallowing()
    stood_in = standing_in(notices)
    stood_in.tell()
    await asyncio.sleep(0)
    stood_in.step_back({"notices"})
    await asyncio.sleep(0)
    assert notices.cancelled == 0
    stood_in.step_back({"fanout"})
    await asyncio.sleep(0)
    assert notices.cancelled == 1


async def test_word_opens_no_session_that_the_fan_out_has_and_a_call_does() -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[SmsSender]:
        opened.append("session")
        yield cast("Any", None)

    texts = Texts(opening)
    word, call = (cast("Any", SimpleNamespace(word=word)) for word in ("over", "called"))
    with pytest.raises(LeftToOthers):
        await texts.send(word, POINT)
    await asyncio.sleep(0)
    assert opened == []
    assert (await texts.send(call, POINT)).later is not None
    assert (await texts.send(word, POINT)).later is not None
    await asyncio.sleep(0)
    assert opened == ["session"]
    await texts.close()
