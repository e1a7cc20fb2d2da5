"""Something breaks: a timer is lost, a press cannot be read, who calls people hangs. Nobody is forgotten."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.cases import Case
from dispatch.clock import now
from dispatch.events import CASES, INTAKE, CallsRecorded, DeadLetter, Timers
from dispatch.identifiers import PersonId
from dispatch.roster import WebhookPoint
from tests.live import LiveSystem
from tests.messengers import Messenger
from tests.receivers import ok, receiving
from tests.stories import LEADER_NEXT_DOOR, OFFICERS_NEXT_DOOR, STATION, Phones, desk_shows, stopped
from tests.the_clock import TheClock
from tests.village import SECRET
from tests.waiting import until


async def test_a_timer_that_is_lost_is_missed_by_the_watchdog_and_the_step_is_taken(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await live_system.press()
    await phones.ring(phones.group)
    await the_clock.loses_its_timers()
    await the_clock.moves(45)
    await phones.are_silent()
    await the_clock.moves(4)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    await the_clock.moves(46)  # from when the watchdog looked, which is a moment after it could
    await phones.ring(phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR)


async def test_a_timer_that_rings_too_early_and_again_and_again_does_no_harm(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    timers = Timers(live_system.system.nc, live_system.system.settings.site)
    for _ in range(3):
        await timers.ring(case)
    await phones.are_silent()
    await the_clock.moves(45)
    for _ in range(3):
        await timers.ring(case)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})


async def test_a_press_that_cannot_be_read_is_shown_with_its_reason_until_somebody_has_seen_to_it(
    live_system: LiveSystem, phones: Phones
) -> None:
    desk = DeadLetters(live_system)
    letter = await desk.unreadable()
    assert "cannot be read" in letter["reason"]
    assert (await desk.do(letter, "retry"))["state"] == "open", "it still cannot be read"
    dismissed = await desk.do(letter, "dismiss", reason="a button that is being set up")
    assert (dismissed["state"], dismissed["mark"]["by"]) == ("dismissed", "operator:whole-site")
    assert await desk.letters() == []
    await phones.are_silent()


async def test_a_press_that_was_given_up_is_tried_again_and_rings_everybody(
    live_system: LiveSystem, phones: Phones
) -> None:
    desk = DeadLetters(live_system)
    letter = await desk.give_up("given-up", "fire")
    assert (await desk.do(letter, "retry"))["state"] == "retried"
    await phones.ring(phones.group)
    assert {phones.rings(person)[0]["kind"] for person in phones.group} == {"fire"}


async def test_dead_letters_are_seen_to_on_the_command_line_as_on_the_dashboard(
    live_system: LiveSystem, phones: Phones
) -> None:
    """One cannot be read and is put aside with a reason; one was given up by mistake and calls everybody."""
    desk = DeadLetters(live_system)
    unread = await desk.unreadable()
    given_up = await desk.give_up("a-second", "medical")
    listed = [json.loads(line) for line in (await dlq(live_system, "list", "--json")).splitlines()]
    assert [(one["letter"], one["reason"]) for one in listed] == [
        (given_up["seq"], "an error of ours"), (unread["seq"], unread["reason"])
    ]  # fmt: skip
    assert "cannot be read" in await dlq(live_system, "show", unread["seq"])

    code, said, why = await live_system.types("dlq", "retry", unread["seq"], "--yes")
    assert (code, "cannot be read" in why) == (1, True), said
    await phones.are_silent()
    await dlq(live_system, "dismiss", unread["seq"], "--reason", "a button that is being set up", "--yes", "--by", "li")
    assert [letter["seq"] for letter in await desk.letters()] == [given_up["seq"]]

    assert "已重试 done" in await dlq(live_system, "retry", given_up["seq"], "--yes", "--by", "li")
    await phones.ring(phones.group)
    assert {phones.rings(person)[0]["kind"] for person in phones.group} == {"medical"}
    assert "没有 none" in await dlq(live_system, "list")
    kept = await desk.letters("all")
    marks = [(letter["seq"], letter["state"], letter["mark"]["by"]) for letter in kept[:2]]
    assert marks == [
        (given_up["seq"], "retried", "operator:li"), (unread["seq"], "dismissed", "operator:li")
    ]  # fmt: skip


async def dlq(live: LiveSystem, *arguments: object) -> str:
    """What `dispatch dlq …` prints, which must succeed."""
    code, out, err = await live.types("dlq", *arguments)
    assert code == 0, err
    return out


class DeadLetters:
    """The DLQ desk of somebody who may see to the whole site."""

    def __init__(self, live: LiveSystem) -> None:
        self._live = live
        self.subject = f"intake.press.{live.system.settings.site}.{live.household}"

    async def letters(self, state: str = "open") -> list[dict[str, Any]]:
        return (await self._ask("GET", f"/v1/dlq?state={state}"))["letters"]  # type: ignore[no-any-return]

    async def unreadable(self) -> dict[str, Any]:
        """A press comes that nobody can read; its letter."""
        await self._live.system.nc.jetstream().publish(self.subject, b"no press of ours")
        return await self.newest()

    async def give_up(self, press: str, kind: str) -> dict[str, Any]:
        """A press that is given up for an error of ours; the letter."""
        letter = DeadLetter(
            by="fanout", reason="an error of ours", stream=INTAKE, subject=self.subject, seq=1, at=now(), headers={},
            body=json.dumps({"press_id": press, "kind": kind}).encode(), stored_at=now(),
        )  # fmt: skip
        subject = f"dlq.{self._live.system.settings.site}.fanout"
        await self._live.system.nc.jetstream().publish(subject, msgspec.json.encode(letter))
        return await self.newest(letter.reason)

    async def newest(self, reason: str = "") -> dict[str, Any]:
        """The newest letter that lies there, waited for until it is one for this `reason`."""

        async def found() -> dict[str, Any] | None:
            letters = await self.letters()
            return letters[0] if letters and reason in letters[0]["reason"] else None

        return await until(found, "a dead letter")

    async def do(self, letter: Mapping[str, Any], deed: str, **body: object) -> dict[str, Any]:
        return await self._ask("POST", f"/v1/dlq/{letter['seq']}/{deed}", body)

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {await self._live.system.token('operator', 'whole-site')}"}
        async with self._live.system.http.request(method, path, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()  # type: ignore[no-any-return]


@pytest.fixture
async def stuck(live_system: LiveSystem) -> AsyncIterator[int]:
    """The fan-out's process, stopped."""
    async with stopped(live_system, "fanout") as pid:
        yield pid


@pytest.fixture
async def unwatched(live_system: LiveSystem) -> AsyncIterator[None]:
    """The watchdog stands in for nobody."""
    async with stopped(live_system, "watch"):
        yield


@pytest.fixture
async def heard(live_system: LiveSystem, duty: Messenger) -> int:
    """How much was heard on duty before; by now the trouble before is told as over, for what goes on is told once."""

    async def is_over() -> bool:
        said = [line for message in duty.messages for line in message.body.splitlines() if "silent.fanout" in line]
        return not said or said[-1].startswith("○")

    await desk_shows(live_system, "silent", "fanout", no_more=True)
    await until(is_over, "the trouble before this to be told as over", seconds=40)
    return len(duty.messages)


async def test_everybody_is_called_and_hears_at_most_one_ring_too_many_when_it_wakes(
    live_system: LiveSystem, real_phones: Phones, stuck: int
) -> None:
    """By the real time: how long somebody hangs is not a matter of the clock."""
    phones = real_phones
    case_id = await live_system.press(kind="fire")
    case = await live_system.finished(case_id)
    assert phones.rung() == dict.fromkeys(phones.group, 1)
    assert {reached(case, person) for person in phones.group} == {True}

    os.kill(stuck, signal.SIGCONT)
    for stream, job in ((INTAKE, "fanout"), (CASES, "calls")):
        await until(lambda s=stream, j=job: has_done(live_system, s, j), f"{job} to be done")  # type: ignore[misc]
    phones.may_ring_once_more(phones.group)
    await phones.ring(phones.group)
    for person in phones.group:
        assert len({ring["notification"] for ring in phones.rings(person)}) == 1, "and it shows as one alert"


async def test_a_fan_out_that_hangs_is_shown_on_the_desk_and_told_over_the_watchdogs_own_channel(
    live_system: LiveSystem,
    real_phones: Phones,  # noqa: ARG001 - none may ring
    heard: int,
    stuck: int,
    duty: Messenger,
) -> None:
    async def is_told() -> bool:
        return any("silent.fanout" in message.body for message in duty.messages[heard:])

    await desk_shows(live_system, "silent", "fanout")
    await until(is_told, "whoever runs the system to be told", seconds=40)
    os.kill(stuck, signal.SIGCONT)
    await desk_shows(live_system, "silent", "fanout", no_more=True)


async def test_who_calls_is_killed_in_the_middle_and_only_the_call_in_hand_is_made_again(
    live_system: LiveSystem,
    real_phones: Phones,
    unwatched: None,  # noqa: ARG001 - a watchdog would be quicker on a busy machine
) -> None:
    """One phone has the ring and has not said so. Of that call alone nobody can know, and it shows as one alert."""
    held, *_ = sorted(real_phones.group)
    others = real_phones.group - {held}
    async with receiving() as phone:
        phone.answer = phone.hang
        point = WebhookPoint(url=phone.url, secret=SECRET)
        await live_system.system.roster.update_person(
            held, lambda known: replace(known, contact_points=(point,)), "test"
        )
        case = await live_system.press(kind="fire")

        async def all_but_one() -> bool:
            known = await live_system.case(case)
            return (
                len(phone.requests) == 1 and {person for person in known.called() if reached(known, person)} == others
            )

        await until(all_but_one, "every ring but one to be on the log")
        killed = await live_system.system.kill("fanout")
        phone.answer = ok
        await live_system.system.restarted("fanout", killed)
        done = await live_system.finished(case)
        rings = [json.loads(request.body)["data"]["notification"] for request in phone.requests]
        await live_system.close(case)
    events = [event for commit in await live_system.log.load(case) for event in commit.events]
    recorded = [one for event in events if isinstance(event, CallsRecorded) for one in event.outcomes]
    said = [one.outcome for one in recorded if (one.responder, one.channel) == (held, "webhook")]
    assert said == ["unknown", "sent"]
    assert reached(done, held)
    assert rings == [rings[0]] * 2
    await real_phones.ring(others)


def reached(case: Case, person: PersonId) -> bool:
    calls = [call for call in case.calls.values() if call.responder == person]
    return any(outcome.outcome == "sent" for call in calls for outcome in call.outcomes.values())


async def has_done(live_system: LiveSystem, stream: str, job: str) -> bool:
    """Whether the fan-out has dealt with everything that it had and that came meanwhile."""
    consumer = f"{job}-{live_system.system.settings.site}"
    info = await live_system.system.nc.jetstream().consumer_info(stream, consumer)
    return not info.num_pending and not info.num_ack_pending
