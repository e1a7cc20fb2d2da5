"""A backup brought back: what comes back is what was, and nobody is called for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client

from dispatch.access import load_keys
from dispatch.archive import (
    backup,
    hold_open_cases,
)
from dispatch.cases import Cancel, CaseDesk, waits_for
from dispatch.clock import now
from dispatch.errors import Conflict
from dispatch.events import CASES, DLQ
from dispatch.identifiers import AreaId, CommitId, GroupId, HouseholdId
from dispatch.roster import Household, Roster
from tests.archives import SETTINGS, SITE, lived, of, restored
from tests.village import Village, opened
from tests.waiting import until
from tests.workers import working


async def test_what_was_backed_up_comes_back_elsewhere_and_nobody_is_called(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    closed, still_open = await lived(village)
    made = await backup(village.nc, tmp_path / "copy")
    before = village.rings()
    await restored(elsewhere, tmp_path / "copy", made.seal)
    assert await of(elsewhere, closed.id) == closed
    assert await of(elsewhere, still_open.id) == still_open
    assert await Roster(elsewhere, SITE).household(closed.alarm.household) is not None
    assert (await load_keys(elsewhere, SITE)).link_secret == (await load_keys(village.nc, SITE)).link_secret
    there = Village(elsewhere, SITE)

    def over() -> list[int]:
        return [rings[len(was) :].count("over") for rings, was in zip(words(village), before, strict=True)]

    async with working(there, SETTINGS):
        # What comes after is called and told; so the worker has passed by all that was restored.
        await CaseDesk(there.log).handle(still_open.id, Cancel(id=CommitId("c2"), at=now(), by="operator:op"))
        # Before the same home calls again: whoever it needs anew is not told that it needs nobody.
        await until(lambda: all(over()), "everybody to be told that the one that came back open is over")
        third = await there.press()
        await there.finished(third)
    assert over() == [1, 1, 1]
    assert [len(rings) - len(was) for rings, was in zip(village.rings(), before, strict=True)] == [2, 2, 2]


def words(village: Village) -> list[list[str]]:
    return [[json.loads(one.body)["data"]["word"] for one in receiver.requests] for receiver in village.receivers]


async def told_more(village: Village, before: Sequence[Sequence[object]]) -> bool:
    return all(len(rings) > len(was) for rings, was in zip(village.rings(), before, strict=True))


async def test_a_backup_of_what_was_restored_has_the_same_seal(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    await lived(village)
    first = await backup(village.nc, tmp_path / "first")
    await restored(elsewhere, tmp_path / "first")
    second = await backup(elsewhere, tmp_path / "second")
    assert second.streams[CASES] == first.streams[CASES]


async def test_a_nats_that_is_not_empty_is_left_alone(village: Village, tmp_path: Path) -> None:
    await backup(village.nc, tmp_path / "copy")
    with pytest.raises(Conflict, match="is not empty"):
        await restored(village.nc, tmp_path / "copy")


async def test_dead_letters_keep_their_marks_and_none_is_lost(nc: Client, elsewhere: Client, tmp_path: Path) -> None:
    js = nc.jetstream()
    for name in ("a", "b", "c"):
        await js.publish(f"dlq.{SITE}.calls", name.encode(), headers={"Nats-Msg-Id": name})
    await js.delete_msg(DLQ, 1)
    await js.publish(f"dlq.{SITE}.mark.3", b"retried")
    await backup(nc, tmp_path / "copy")
    await restored(elsewhere, tmp_path / "copy")
    info = await elsewhere.jetstream().stream_info(DLQ)
    there = [await elsewhere.jetstream().get_msg(DLQ, seq) for seq in range(1, info.state.last_seq + 1)]
    assert [(one.subject, one.data) for one in there] == [
        (f"dlq.{SITE}.calls", b"b"),
        (f"dlq.{SITE}.calls", b"c"),
        (f"dlq.{SITE}.mark.2", b"retried"),
    ]


async def test_what_comes_back_open_is_held_so_that_it_can_be_closed_first(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    closed, still_open = await lived(village)
    area, group = AreaId("a-1"), GroupId("g-1")
    neighbours = Household(id=HouseholdId("h-2"), name="王家", address="14 号", area=area, group=group)
    await village.roster.put(neighbours, by="test")
    owing = await opened(village, neighbours.id)
    await backup(village.nc, tmp_path / "copy")
    await restored(elsewhere, tmp_path / "copy")
    at = now()
    assert await hold_open_cases(elsewhere, tmp_path / "copy", at) == [still_open.id, owing]
    for case in [await of(elsewhere, still_open.id), await of(elsewhere, owing)]:
        wait = waits_for(case)
        assert wait is not None
        assert (wait.what, wait.until) == ("operator", at + timedelta(minutes=30))
        assert case.owed() == [], "or the watchdog would ring"
    assert await of(elsewhere, closed.id) == closed
    before, there = village.rings(), Village(elsewhere, SITE)
    async with working(there, SETTINGS):
        await CaseDesk(there.log).handle(still_open.id, Cancel(id=CommitId("c2"), at=now(), by="operator:op"))
        await until(lambda: told_more(village, before), "everybody to be told that it is over")
    assert [rings[len(was) :] for rings, was in zip(words(village), before, strict=True)] == [["over"]] * 3


async def test_who_presses_on_what_came_back_open_has_everybody_rung(
    village: Village, elsewhere: Client, tmp_path: Path
) -> None:
    """However lately it was called, and though it is held: nobody is kept waiting for who may close it."""
    _, still_open = await lived(village)
    await backup(village.nc, tmp_path / "copy")
    await restored(elsewhere, tmp_path / "copy")
    await hold_open_cases(elsewhere, tmp_path / "copy", now())
    before, there = village.rings(), Village(elsewhere, SITE)
    async with working(there, SETTINGS):
        await there.press()
        await until(lambda: told_more(village, before), "everybody to be rung")
    case = await of(elsewhere, still_open.id)
    assert (len(case.presses), case.held_until) == (len(still_open.presses) + 1, None)
    assert [rings[len(was) :][:1] for rings, was in zip(words(village), before, strict=True)] == [["called"]] * 3
