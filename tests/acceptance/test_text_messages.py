"""Some are called by text message and answer by one; the operator sees it, and an office that is shut delays nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import SmsPoint
from tests.live import LiveSystem
from tests.smsc.fake import FakeSmsc
from tests.stories import LEADER_NEXT_DOOR, OFFICERS_NEXT_DOOR, STATION, County, Phones, desk_shows
from tests.the_clock import TheClock
from tests.waiting import until

Numbers = dict[PersonId, str]


class Texts:
    """The numbers of the thirteen. A text that no story asked for fails it as one that is missing does."""

    def __init__(self, smsc: FakeSmsc, phones: Phones, numbers: Numbers) -> None:
        self.smsc, self.phones, self.of = smsc, phones, numbers
        self._expected = 0

    async def ring(self, words: str) -> None:
        """Wait until each shows one more text that calls, begun with `words`, and see that nobody is called besides."""
        self._expected += 1

        async def so() -> bool:
            return all(self._calls(number, words) for number in self.of.values()) and self._is_as_told()

        await until(so, f"a text that begins with {words} on every phone")
        await self.are_silent()

    async def are_silent(self) -> None:
        """See that nobody is called any more, by text or otherwise."""
        await self.phones.are_silent()
        assert self._is_as_told(), {number: self.smsc.texts(number) for number in self.of.values()}
        assert {f"+{part.to}" for part in self.smsc.parts} <= set(self.of.values())

    def _is_as_told(self) -> bool:
        return all(self._calls(number) == self._expected for number in self.of.values())

    def _calls(self, number: str, words: str = "") -> int:
        texts = self.smsc.texts(number)
        return sum(text.startswith(words) and "回复1前往 2不能 3到场" in text for text in texts)


@pytest.fixture
async def texts(live_system: LiveSystem, county: County, phones: Phones, smsc: FakeSmsc) -> AsyncIterator[Texts]:
    """A number for each of the thirteen who are called, and an SMSC that takes everything."""
    roster = live_system.system.roster
    numbers = {person: f"+861390013{n:04}" for n, person in enumerate(sorted(phones.group))}
    for person in (await roster.people(phones.group)).values():
        await roster.put(replace(person, contact_points=(SmsPoint(number=numbers[person.id]),)), by="test")
    smsc.parts.clear()
    smsc.receipts = "none"

    async def bound() -> bool:
        return smsc.bound > 0

    await until(bound, "the worker to be bound")
    given = Texts(smsc, phones, numbers)
    yield given
    await county.close_all()
    await given.are_silent()


async def sms_outcomes(live: LiveSystem, case: CaseId) -> set[str]:
    """What came of the texts of the first call."""
    calls = (await live.finished(case)).calls
    return {call.outcomes["sms"].outcome for (step, _), call in calls.items() if step == 0}


async def test_a_press_is_thirteen_texts_and_an_answer_by_text_is_on_the_operators_desk(
    live_system: LiveSystem, texts: Texts, smsc: FakeSmsc
) -> None:
    case = await live_system.press(kind="fire")
    await texts.ring("火警 · ")
    assert await sms_outcomes(live_system, case) == {"sent"}
    people = [PersonId(live_system.subject(who)) for who in ("neighbour", "police", "leader")]
    neighbour, officer, leader = people
    assert await smsc.says(texts.of[neighbour], "1 10分钟") == 0
    assert await smsc.says(texts.of[officer].removeprefix("+86"), "２") == 0
    assert await smsc.says(texts.of[leader], "3") == 0
    status, view = await live_system.call("operator", "GET", f"/v1/cases/{case}")
    answers = {person["id"]: (person["answer"], person["eta_minutes"]) for person in view["responders"]}  # type: ignore[attr-defined]
    assert status == 200
    assert [answers[person] for person in people] == [("going", 10), ("cannot", None), ("on_scene", None)]
    await live_system.close(case)

    async def told() -> bool:
        return "警情已结束" in smsc.texts(texts.of[neighbour])[-1]

    await until(told, "the one who was coming to be told that it is over")


async def test_too_few_answer_by_text_and_everybody_has_another(
    live_system: LiveSystem, texts: Texts, the_clock: TheClock
) -> None:
    await live_system.press(kind="fire")
    await texts.ring("火警 · ")
    await the_clock.moves(44)
    await texts.are_silent()
    await the_clock.moves(1)
    await texts.phones.ring({LEADER_NEXT_DOOR})
    await texts.ring("火警 · ")


async def test_the_link_in_a_text_answers(live_system: LiveSystem, texts: Texts, smsc: FakeSmsc) -> None:
    case = await live_system.press(kind="intrusion")
    await texts.ring("入室 · ")
    person, number = next(iter(texts.of.items()))
    link = next(text for text in smsc.texts(number) if text.startswith("入室")).rsplit(" ", 1)[1]
    async with live_system.system.http.post(
        link.removeprefix(live_system.url), json={"answer": "on_scene"}
    ) as answered:
        assert answered.status in {200, 201}
    assert (await live_system.case(case)).replies[person].answer == "on_scene"


async def test_receipts_say_who_has_it(live_system: LiveSystem, texts: Texts, smsc: FakeSmsc) -> None:
    smsc.receipts = "delivered"
    case = await live_system.press(drill=True)

    async def all_delivered() -> bool:
        return await sms_outcomes(live_system, case) == {"delivered"}

    await until(all_delivered, "every text to be delivered")
    await texts.ring("【演练 DRILL】求助 · ")


async def test_a_text_that_cannot_be_delivered_lets_the_next_channel_ring_at_once(
    live_system: LiveSystem, texts: Texts, smsc: FakeSmsc
) -> None:
    roster, phones = live_system.system.roster, texts.phones
    for person in (await roster.people(phones.group)).values():
        points = (*person.contact_points, phones.point(person.id))
        await roster.put(replace(person, contact_points=points), by="test")
    smsc.receipts = "failed"
    case = await live_system.press(kind="fire")
    await phones.ring(phones.group)
    await texts.ring("火警 · ")
    assert await sms_outcomes(live_system, case) == {"failed"}


async def test_an_smsc_that_is_away_delays_nobody_and_is_used_when_it_is_back(
    live_system: LiveSystem, texts: Texts, smsc: FakeSmsc
) -> None:
    await smsc.stop()
    case = await live_system.press()
    finished = await live_system.finished(case)
    reasons = {call.outcomes["sms"].reason for (step, _), call in finished.calls.items() if step == 0}
    assert all("no connection to the SMSC" in (reason or "") for reason in reasons)
    await desk_shows(live_system, "channel", "sms")
    # None of the thirteen can be reached, nor is the leader next door enough alone: there is nothing to wait for.
    await texts.phones.ring({LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR)
    await live_system.close(case)
    await smsc.start()

    async def bound() -> bool:
        return smsc.bound > 0

    await until(bound, "the worker to be bound again", seconds=60)
    again = await live_system.press(kind="medical")
    await texts.ring("急病 · ")
    assert await sms_outcomes(live_system, again) == {"sent"}
    await desk_shows(live_system, "channel", "sms", no_more=True)
