"""What could not be processed is tried again: it rings whom it should, once, or stays with the reason."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.app import dlq_desk
from dispatch.cases import Case
from dispatch.clock import now
from dispatch.errors import Conflict, Malformed, NotFound, Refused
from dispatch.events import INTAKE, DeadLetter, DlqDesk, Kept
from dispatch.fanout import calls, directory, work
from dispatch.identifiers import CaseId, HouseholdId
from dispatch.roster import call_list
from dispatch.settings import Settings
from tests.commands import dispatch
from tests.village import HOUSEHOLD, Village, outcomes, village_of
from tests.waiting import until
from tests.workers import working


@pytest.fixture
async def village(nc: Client, nats_settings: Settings) -> AsyncIterator[Village]:
    async with village_of(nc, nats_settings.site, 3) as made:
        yield made


@pytest.fixture
def desk(nc: Client, nats_settings: Settings) -> DlqDesk:
    return dlq_desk(nc, nats_settings)


async def left(desk: DlqDesk) -> list[Kept]:
    return await desk.letters.newest(50, open_only=True)


async def put(village: Village, body: bytes, *, minutes_ago: float = 0, by: str = "fanout") -> int:
    """A letter about a press that was stored so long ago; its number."""
    at = now() - timedelta(minutes=minutes_ago)
    letter = DeadLetter(
        by=by,
        reason="at first",
        stream=INTAKE,
        subject=f"intake.press.{village.site}.{HOUSEHOLD}",
        seq=1,
        at=at,
        headers={},
        body=body,
        stored_at=at,
    )
    return (await village.nc.jetstream().publish(f"dlq.{village.site}.{by}", msgspec.json.encode(letter))).seq


async def newest_case(village: Village) -> Case | None:
    head = await village.log.head(HOUSEHOLD)
    return await village.case(head.case) if head else None


async def rung_once(village: Village, case: CaseId) -> None:
    await village.finished(case)
    assert [len(receiver.requests) for receiver in village.receivers] == [1, 1, 1]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is broken in the fan-out, for as long as it stands in this list: `plan` or `calls`."""
    known: list[str] = []
    make = calls.Calls._make

    async def plan(*arguments: object) -> object:
        if "plan" in known:
            raise RuntimeError("boom")
        return await call_list(*arguments)  # type: ignore[arg-type]

    async def made(*arguments: object) -> None:
        if "calls" in known:
            raise RuntimeError("bang")
        await make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(directory, "call_list", plan)
    monkeypatch.setattr(calls.Calls, "_make", made)
    monkeypatch.setattr(work, "RETRY_SECONDS", 0.01)
    return known


async def test_a_press_that_was_given_up_is_tried_again_and_rings_everybody_once(
    village: Village, nats_settings: Settings, desk: DlqDesk, broken: list[str]
) -> None:
    broken.append("plan")
    async with working(village, nats_settings):
        case = await village.press()
        (kept,) = await until(lambda: left(desk), "the dead letter")
        assert kept.household == HOUSEHOLD
        assert (await desk.retry(kept.seq, "operator:li")).mark.deed == "retried"  # type: ignore[union-attr]
        (back,) = await until(lambda: left(desk), "it to come back, for its cause is still there")
        assert back.seq > kept.seq
        broken.clear()
        await desk.retry(back.seq, "operator:li")
        await rung_once(village, case)
        with pytest.raises(Conflict, match="retried by operator:li"):
            await desk.retry(back.seq, "operator:wang")
        await rung_once(village, case)
    alarm = (await village.case(case)).alarm
    assert alarm.accepted_at > kept.letter.stored_at > alarm.pressed_at  # type: ignore[operator]
    assert await left(desk) == []


async def test_two_desks_at_once_ring_once(village: Village, nats_settings: Settings, nc: Client) -> None:
    async with working(village, nats_settings):
        seq = await put(village, b'{"press_id":"b1"}')
        tried = await asyncio.gather(
            *(dlq_desk(nc, nats_settings).retry(seq, f"operator:{n}") for n in range(4)), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in tried) == ["Conflict", "Conflict", "Conflict", "Kept"]
        case = await until(lambda: newest_case(village), "the case")
        await rung_once(village, case.id)


async def test_an_old_press_rings_only_when_somebody_knows_that_it_is_old(
    village: Village, nats_settings: Settings, desk: DlqDesk
) -> None:
    seq = await put(village, b'{"press_id":"b1"}', minutes_ago=185)
    with pytest.raises(Conflict, match="185 minutes ago"):
        await desk.retry(seq, "operator:li")
    assert (await desk.letters.get(seq)).mark is None
    async with working(village, nats_settings):
        await desk.retry(seq, "operator:li", old_press=True)
        case = await until(lambda: newest_case(village), "the case")
    age = now() - case.alarm.pressed_at
    assert timedelta(minutes=185) <= age < timedelta(minutes=190), "it says when the key went down"


async def test_a_press_that_is_on_a_case_rings_nobody_again(
    village: Village, nats_settings: Settings, desk: DlqDesk
) -> None:
    body = b'{"press_id":"b1"}'
    async with working(village, nats_settings):
        ack = await village.nc.jetstream().publish(f"intake.press.{village.site}.{HOUSEHOLD}", body)
        assert ack.seq
        case = await until(lambda: newest_case(village), "the case")
        await rung_once(village, case.id)
        kept = await desk.retry(await put(village, body), "operator:li")
        assert kept.state(now()) == "open"
        assert f"on case {case.id} already" in kept.mark.reason  # type: ignore[union-attr]


async def test_what_still_cannot_be_read_stays_with_the_new_reason(village: Village, desk: DlqDesk) -> None:
    kept = await desk.retry(await put(village, b"oops"), "operator:li")
    assert kept.mark is not None
    assert (kept.mark.deed, kept.mark.by) == ("failed", "operator:li")
    assert "cannot be read" in kept.mark.reason
    assert [one.seq for one in await left(desk)] == [kept.seq]


async def test_calls_that_were_given_up_are_made_and_those_that_were_made_are_not(
    village: Village, nats_settings: Settings, desk: DlqDesk, broken: list[str]
) -> None:
    broken.append("calls")
    async with working(village, nats_settings):
        case = await village.press()
        (kept,) = await until(lambda: left(desk), "the dead letter")
        assert (kept.letter.by, kept.household) == ("calls", HOUSEHOLD)
        stays = await desk.retry(kept.seq, "operator:li")
        assert "bang" in stays.mark.reason  # type: ignore[union-attr]
        broken.clear()
        assert (await desk.retry(kept.seq, "operator:li")).state(now()) == "retried"
        await rung_once(village, case)
        after = await village.case(case)

        again = await put_again(village, kept)
        assert (await desk.retry(again, "operator:li")).state(now()) == "retried"
        await rung_once(village, case)
        assert outcomes(await village.case(case)) == outcomes(after)


async def put_again(village: Village, kept: Kept) -> int:
    """Another letter about the same commit."""
    subject = f"dlq.{village.site}.{kept.letter.by}"
    return (await village.nc.jetstream().publish(subject, msgspec.json.encode(kept.letter))).seq


async def test_without_a_worker_the_letter_stays(
    village: Village, nats_settings: Settings, desk: DlqDesk, broken: list[str]
) -> None:
    broken.append("calls")
    async with working(village, nats_settings):
        await village.press()
        (kept,) = await until(lambda: left(desk), "the dead letter")
    stays = await desk.retry(kept.seq, "operator:li")
    assert (stays.state(now()), "no fan-out worker" in stays.mark.reason) == ("open", True)  # type: ignore[union-attr]


async def test_a_letter_is_put_aside_and_taken_up_again_and_each_deed_stands_there(
    village: Village, desk: DlqDesk
) -> None:
    seq = await put(village, b"oops")
    with pytest.raises(Malformed):
        await desk.dismiss(seq, "operator:li", "  ")
    dismissed = await desk.dismiss(seq, "operator:li", "测试按钮")
    assert (dismissed.state(now()), await left(desk)) == ("dismissed", [])
    for deed in (desk.retry(seq, "operator:wang"), desk.dismiss(seq, "operator:wang", "too")):
        with pytest.raises(Conflict, match="dismissed by operator:li"):
            await deed
    assert (await desk.reopen(seq, "operator:wang")).state(now()) == "open"
    with pytest.raises(Conflict):
        await desk.reopen(seq, "operator:wang")
    assert [one.seq for one in await left(desk)] == [seq]
    info = await village.nc.jetstream().stream_info("DLQ", subjects_filter=f"dlq.{village.site}.mark.{seq}")
    newest = await village.nc.jetstream().get_last_msg("DLQ", f"dlq.{village.site}.mark.{seq}")
    assert (info.state.subjects or {})[f"dlq.{village.site}.mark.{seq}"] == 2
    assert json.loads(newest.data or b"")["by"] == "operator:wang"


async def test_a_retry_whose_desk_died_is_open_again_after_a_minute(village: Village, desk: DlqDesk) -> None:
    seq = await put(village, b"oops")
    mark = msgspec.json.encode({"deed": "retrying", "by": "operator:li", "at": now(), "reason": ""})
    await village.nc.jetstream().publish(f"dlq.{village.site}.mark.{seq}", mark)
    kept = await desk.letters.get(seq)
    assert (kept.state(now()), kept.state(now() + timedelta(seconds=61))) == ("retrying", "open")
    with pytest.raises(Conflict):
        await desk.retry(seq, "operator:wang")


async def test_what_nobody_can_try_again_and_what_is_not_there(village: Village, desk: DlqDesk) -> None:
    seq = await put(village, b"", by="weather")
    with pytest.raises(Refused, match="dismiss it"):
        await desk.retry(seq, "operator:li")
    with pytest.raises(NotFound):
        await desk.retry(seq + 1, "operator:li")


async def test_a_case_of_another_household_is_nobody_s_here(village: Village, desk: DlqDesk, nc: Client) -> None:
    seq = await put(village, b"oops")
    elsewhere = dlq_desk(nc, Settings(site=f"{village.site}x"))
    with pytest.raises(NotFound):
        await elsewhere.retry(seq, "operator:li")
    assert HouseholdId("h-1") == (await desk.letters.get(seq)).household


@pytest.mark.parametrize("digits", [15, 19, 20, 40, 4000])
async def test_a_number_of_any_length_that_is_no_letters_is_said_to_be_none(
    village: Village, nats_settings: Settings, digits: int
) -> None:
    seq = "9" * digits
    environment = os.environ | {"DISPATCH_NATS_URL": nats_settings.require_nats(), "DISPATCH_SITE": str(village.site)}
    for deed, *more in (("show",), ("retry", "--yes"), ("dismiss", "--yes", "--reason", "x"), ("reopen",)):
        code, _, error = await dispatch("dlq", deed, seq, *more, env=environment)
        assert code == 1
        assert f"there is no dead letter {seq[:40]}" in error
