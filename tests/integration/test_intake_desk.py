"""Accepting presses on a real nats-server: "accepted" follows the acknowledgement and outlives the server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from dispatch.cases import Cancel, CaseDesk, Plan, RaiseAlarm, SignalDuress
from dispatch.clock import now
from dispatch.embedded import EmbeddedNats
from dispatch.errors import Malformed, Oversized, TooFrequent, Unavailable
from dispatch.events import INTAKE, CaseLog, Press, connect, decode_press, ensure_streams, press_subject
from dispatch.identifiers import CaseId, CommitId, HouseholdId, PressId, Site
from dispatch.intake import IntakeDesk, Limits
from tests.standing_still import stop


def press(name: str, household: str = "h-1", device: str = "phone") -> Press:
    return Press(
        press=PressId(name),
        household=HouseholdId(household),
        device=device,
        source="http",
        pressed_at=now(),
        kind="fire",
    )


async def stored(nc: Client, site: str, household: str = "h-1") -> list[str]:
    subject = press_subject(site, household)
    found = (await nc.jetstream().stream_info(INTAKE, subjects_filter=subject)).state.subjects or {}
    if not found:
        return []
    pull = await nc.jetstream().pull_subscribe(subject, stream=INTAKE)
    messages = await pull.fetch(found[subject], timeout=5)
    await pull.unsubscribe()
    return [decode_press(m.subject, m.headers, m.data, m.metadata.timestamp).press for m in messages]


@contextmanager
def frozen(server: EmbeddedNats) -> Iterator[None]:
    """Within it the server does nothing at all, as one whose disk hangs."""
    pid = server.child.pid
    assert pid is not None
    stop(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_what_is_accepted_is_stored_as_it_was_pressed(nc: Client, site: Site) -> None:
    sent = press("p1")
    before = now()
    accepted = await IntakeDesk(nc, site).accept(sent)

    assert (accepted.press, accepted.household, accepted.duplicate) == ("p1", "h-1", False)
    assert before <= accepted.accepted_at <= now()
    assert accepted.accepted_at.tzinfo is UTC
    message = await nc.jetstream().get_last_msg(INTAKE, press_subject(site, "h-1"))
    assert decode_press(str(message.subject), message.headers, message.data or b"", now()) == sent
    assert (message.headers or {})["ce-id"] == "h-1:p1"


async def test_the_same_press_twice_is_one_press(nc: Client, site: Site) -> None:
    desk = IntakeDesk(nc, site)
    first = await desk.accept(press("p1"))
    again = await desk.accept(press("p1"))
    elsewhere = await IntakeDesk(nc, site).accept(press("p1"))
    neighbour = await desk.accept(press("p1", household="h-2"))
    assert [a.duplicate for a in (first, again, elsewhere, neighbour)] == [False, True, True, False]
    assert await stored(nc, site) == ["p1"]


async def test_a_real_press_under_the_id_of_a_drill_is_stored_too(nc: Client, site: Site) -> None:
    desk, drill = IntakeDesk(nc, site), replace(press("p1"), drill=True)
    accepted = [await desk.accept(one) for one in (drill, press("p1"), drill, press("p1"))]
    assert [one.duplicate for one in accepted] == [False, False, True, True]
    assert await stored(nc, site) == ["p1", "p1"]


async def test_a_flood_is_refused_with_the_time_to_wait_and_nothing_of_it_is_stored(nc: Client, site: Site) -> None:
    desk = IntakeDesk(nc, site, limits=Limits(burst=3, seconds=60))
    for number in range(3):
        await desk.accept(press(f"p{number}"))
    with pytest.raises(TooFrequent, match="already accepted") as refused:
        await desk.accept(press("p3"))
    assert 0 < refused.value.retry_after <= 60
    assert refused.value.problem()["press_id"] == "p3"

    assert (await desk.accept(press("p1"))).duplicate, "a retry is not one press more"
    await desk.accept(press("other", device="gate"))
    assert await stored(nc, site) == ["p0", "p1", "p2", "other"]


async def opened(nc: Client, site: Site, by: Press) -> tuple[CaseDesk, CaseId]:
    """What the fan-out makes of the press `by`: a case."""
    cases = CaseDesk(CaseLog(nc, site))

    async def plan(_press: Press) -> Plan:
        return Plan(group=None, areas=(), calls=())

    command = RaiseAlarm(id=CommitId(f"press-{by.press}"), at=now(), press=by, accepted_at=now())
    return cases, (await cases.press(command, plan)).case.id


async def accepts(desk: IntakeDesk, pressed: Press) -> bool:
    try:
        await desk.accept(pressed)
    except TooFrequent:
        return False
    return True


async def test_nobody_who_presses_in_earnest_after_a_false_alarm_is_refused(nc: Client, site: Site) -> None:
    desk = IntakeDesk(nc, site, limits=Limits(burst=2, seconds=3600))
    for number in range(3):
        first, second, third = (press(f"p{number}{n}") for n in "abc")
        assert await accepts(desk, first)
        assert await accepts(desk, second) is (number == 0), "what is accepted will open a case: no flood gets in"
        cases, case = await opened(nc, site, by=first)
        assert not await accepts(desk, third), "there is an open case"
        await cases.handle(case, Cancel(id=CommitId("cancel"), at=now(), by="device:h-1"))
    assert await stored(nc, site) == ["p0a", "p0b", "p1a", "p2a"]


@pytest.mark.parametrize("deed", [Cancel, SignalDuress])
async def test_a_press_after_a_cancel_under_duress_is_answered_as_one_after_a_true_cancel(
    nc: Client, site: Site, deed: type[Cancel | SignalDuress]
) -> None:
    desk = IntakeDesk(nc, site, limits=Limits(burst=2, seconds=3600))
    before = [await accepts(desk, press(f"a{number}")) for number in range(2)]
    cases, case = await opened(nc, site, by=press("a0"))
    before.append(await accepts(desk, press("a2")))
    await cases.handle(case, deed(id=CommitId("cancel"), at=now(), by="device:h-1"))
    after = [await accepts(desk, press(f"b{number}")) for number in range(2)]
    assert (before, after) == ([True, True, False], [True, False])


async def test_a_drill_that_is_under_way_refuses_no_real_press(nc: Client, site: Site) -> None:
    desk = IntakeDesk(nc, site, limits=Limits(burst=1, seconds=3600))
    assert await accepts(desk, press("before"))
    await opened(nc, site, by=replace(press("drill"), drill=True))
    assert await accepts(desk, press("real"))
    assert not await accepts(desk, press("flood"))


@pytest.mark.parametrize("household", ["h-1.x", "h.>", "*", "", "h 1", "户"])
async def test_an_id_that_is_no_id_reaches_no_subject(nc: Client, site: Site, household: str) -> None:
    with pytest.raises(Malformed, match="household"):
        await IntakeDesk(nc, site).accept(press("p1", household=household))
    with pytest.raises(Malformed, match="press"):
        await IntakeDesk(nc, site).accept(press(household or ".", household="h-1"))


async def test_a_press_too_large_to_be_read_again_is_refused(nc: Client, site: Site) -> None:
    with pytest.raises(Oversized):
        await IntakeDesk(nc, site).accept(press("p1", device="d" * 5000))
    assert await stored(nc, site) == []


@pytest.mark.embedded
async def test_without_the_acknowledgement_nothing_is_accepted(fresh_nats: EmbeddedNats, site: Site) -> None:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    desk = IntakeDesk(nc, site, limits=Limits(burst=1, seconds=60), try_seconds=0.3)
    with frozen(fresh_nats), pytest.raises(Unavailable, match="send it again"):
        await desk.accept(press("p1"))

    accepted = await desk.accept(press("p1"))  # what was not accepted counts for nothing: the burst is still whole
    assert accepted.press == "p1"
    assert await stored(nc, site) == ["p1"], "however often it was sent"
    await nc.close()


@pytest.mark.embedded
async def test_without_its_stream_nothing_is_accepted(fresh_nats: EmbeddedNats, site: Site) -> None:
    nc = await connect(fresh_nats.url, "test")
    with pytest.raises(Unavailable):
        await IntakeDesk(nc, site).accept(press("p1"))
    await nc.close()


@pytest.mark.embedded
async def test_what_was_accepted_outlives_a_kill_of_the_server(fresh_nats: EmbeddedNats, site: Site) -> None:
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    desk = IntakeDesk(nc, site)
    await desk.accept(press("p1"))

    await fresh_nats.kill()
    await fresh_nats.start()

    assert (await desk.accept(press("p1"))).duplicate, "over the same connection, by itself"
    await desk.accept(press("p2"))
    assert await stored(nc, site) == ["p1", "p2"]
    await nc.close()


async def test_the_moment_of_acceptance_is_that_of_the_acknowledgement(nc: Client, site: Site) -> None:
    times = iter([datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC), datetime(2026, 11, 21, 8, 0, 1, tzinfo=UTC)])
    accepted = await IntakeDesk(nc, site, clock=lambda: next(times)).accept(press("p1"))
    assert accepted.accepted_at.second == 1
