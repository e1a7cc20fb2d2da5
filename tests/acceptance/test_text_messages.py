"""Some are called by text message and answer by one; the operator sees it, and an office that is shut delays nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from dispatch.clock import now
from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import SmsPoint, call_list
from tests.conftest import database
from tests.live import LiveSystem, live, on_servers
from tests.servers import Servers, open_folder
from tests.smsc.fake import FakeSmsc, fake_smsc
from tests.system import until

Numbers = dict[PersonId, str]


@pytest.fixture(scope="module")
async def smsc() -> AsyncIterator[FakeSmsc]:
    async with fake_smsc() as running:
        yield running


@pytest.fixture(scope="module")
async def live_system(servers: Servers, migrated_template: str, smsc: FakeSmsc) -> AsyncIterator[LiveSystem]:
    """A system with an account at the SMSC."""
    async with database(servers, migrated_template) as dsn:
        with open_folder() as folder:
            async with live(folder, on_servers(servers, dsn) | smsc.environment, movable=True) as running:
                yield running


@pytest.fixture
async def numbers(live_system: LiveSystem, smsc: FakeSmsc) -> AsyncIterator[Numbers]:
    """A number for each of the thirteen who are called, and an SMSC that takes everything."""
    called = (await call_list(live_system.system.roster, live_system.household, now())).called
    given = {entry.person.id: f"+861390013{n:04}" for n, entry in enumerate(called)}
    for entry in called:
        points = (SmsPoint(number=given[entry.person.id]),)
        await live_system.system.roster.put(replace(entry.person, contact_points=points), by="test")
    smsc.parts.clear()
    smsc.receipts = "none"

    async def bound() -> bool:
        return smsc.bound > 0

    await until(bound, "the worker to be bound")
    yield given
    head = await live_system.log.head(live_system.household)
    if head is not None:
        await live_system.close(head.case)


async def everybody_has(smsc: FakeSmsc, numbers: Numbers, words: str) -> None:
    """Wait until every phone shows a text that begins with `words`, and see that none shows two."""

    def counts() -> list[int]:
        return [sum(text.startswith(words) for text in smsc.texts(number)) for number in numbers.values()]

    async def so() -> bool:
        return all(counts())

    await until(so, f"a text that begins with {words} on every phone")
    assert counts() == [1] * 13


async def sms_outcomes(live: LiveSystem, case: CaseId) -> set[str]:
    """What came of the texts of the first call."""
    calls = (await live.finished(case)).calls
    return {call.outcomes["sms"].outcome for (step, _), call in calls.items() if step == 0}


async def test_a_press_is_thirteen_texts_and_an_answer_by_text_is_on_the_operators_desk(
    live_system: LiveSystem, numbers: Numbers, smsc: FakeSmsc
) -> None:
    case = await live_system.press(kind="fire")
    assert await sms_outcomes(live_system, case) == {"sent"}
    await everybody_has(smsc, numbers, "火警 · ")
    neighbour, officer = (PersonId(live_system.subject(who)) for who in ("neighbour", "police"))
    (text,) = smsc.texts(numbers[neighbour])
    assert "回复1前往 2不能 3到场" in text
    assert await smsc.says(numbers[neighbour], "1 10分钟") == 0
    assert await smsc.says(numbers[officer].removeprefix("+86"), "２") == 0
    status, view = await live_system.call("operator", "GET", f"/v1/cases/{case}")
    answers = {person["id"]: (person["answer"], person["eta_minutes"]) for person in view["responders"]}  # type: ignore[attr-defined]
    assert status == 200
    assert (answers[neighbour], answers[officer]) == (("going", 10), ("cannot", None))
    await live_system.close(case)

    async def told() -> bool:
        return "警情已结束" in smsc.texts(numbers[neighbour])[-1]

    await until(told, "the one who was coming to be told that it is over")


async def test_the_link_in_a_text_answers(live_system: LiveSystem, numbers: Numbers, smsc: FakeSmsc) -> None:
    case = await live_system.press(kind="intrusion")
    await everybody_has(smsc, numbers, "入室 · ")
    person, number = next(iter(numbers.items()))
    link = next(text for text in smsc.texts(number) if text.startswith("入室")).rsplit(" ", 1)[1]
    async with live_system.system.http.post(
        link.removeprefix(live_system.url), json={"answer": "on_scene"}
    ) as answered:
        assert answered.status in {200, 201}
    assert (await live_system.case(case)).replies[person].answer == "on_scene"


async def test_receipts_say_who_has_it(live_system: LiveSystem, numbers: Numbers, smsc: FakeSmsc) -> None:
    smsc.receipts = "delivered"
    case = await live_system.press(drill=True)

    async def all_delivered() -> bool:
        return await sms_outcomes(live_system, case) == {"delivered"}

    await until(all_delivered, "every text to be delivered")
    await everybody_has(smsc, numbers, "【演练 DRILL】求助 · ")


async def test_an_smsc_that_is_away_delays_nobody_and_is_used_when_it_is_back(
    live_system: LiveSystem, numbers: Numbers, smsc: FakeSmsc
) -> None:
    await smsc.stop()
    case = await live_system.press()
    finished = await live_system.finished(case)
    reasons = {call.outcomes["sms"].reason for (step, _), call in finished.calls.items() if step == 0}
    assert all("no connection to the SMSC" in (reason or "") for reason in reasons)
    await live_system.close(case)
    await smsc.start()

    async def bound() -> bool:
        return smsc.bound > 0

    await until(bound, "the worker to be bound again", seconds=60)
    again = await live_system.press(kind="medical")
    assert await sms_outcomes(live_system, again) == {"sent"}
    await everybody_has(smsc, numbers, "急病 · ")
