"""What breaks while people need help, and that they are called all the same. kill -9, no mocks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatch.identifiers import CaseId
from tests.buttons import Button, needs_mosquitto
from tests.faults.conftest import Fragile
from tests.live import LiveSystem, Phones, live, phones_of
from tests.servers import open_folder
from tests.system import ROLES
from tests.waiting import until

pytestmark = pytest.mark.embedded


async def on_the_board(running: LiveSystem, case: CaseId) -> bool:
    status, document = await running.call("operator", "GET", "/v1/cases?status=all&limit=50")
    return status == 200 and case in {row["case_id"] for row in document["cases"]}  # type: ignore[attr-defined]


async def test_postgres_may_be_down(fragile: Fragile, phones: Phones) -> None:
    running = fragile.live
    await fragile.postgres.kill()
    try:
        case = await running.press(kind="fire")
        await running.finished(case)
        assert phones.rung() == dict.fromkeys(phones.of, 1), "everybody is called"
        status, _ = await running.call("police", "POST", f"/v1/cases/{case}/replies", {"answer": "going"})
        assert status in {200, 201}, "answers are taken"
        status, problem = await running.call("operator", "GET", "/v1/cases")
        assert (status, problem["status"]) == (503, 503)
        status, view = await running.call("operator", "GET", f"/v1/cases/{case}")
        assert (status, view["status"]) == (200, "under_way"), "a case is read from the log"
    finally:
        await fragile.postgres.start()
    await until(lambda: on_the_board(running, case), "the board to catch up by itself", seconds=30)
    await running.close(case)


async def test_the_fan_out_killed_in_the_middle_of_a_call_to_thirteen(fragile: Fragile, phones: Phones) -> None:
    running = fragile.live
    for receiver in list(phones.of.values())[6:]:
        receiver.answer = receiver.hang
    case = await running.press()

    async def all_asked() -> bool:
        return all(phones.rung().values())

    await until(all_asked, "every phone to have been asked")
    before = await running.system.kill("fanout")
    for receiver in phones.of.values():
        receiver.released.set()
    await running.system.restarted("fanout", before)
    finished = await running.finished(case)
    assert len(finished.calls) == 13
    assert {call.best().outcome for call in finished.calls.values()} == {"sent"}  # type: ignore[union-attr]
    assert max(phones.rung().values()) <= 2, "nobody has more than one extra ring"
    for person in phones.of:
        assert len({ring["notification"] for ring in phones.rings(person)}) == 1, "and it shows as one alert"
    await running.close(case)


async def test_a_press_that_was_accepted_rings_after_the_fan_out_was_away(fragile: Fragile, phones: Phones) -> None:
    running = fragile.live
    before = await running.system.kill("fanout")
    await running.call("resident", "POST", "/v1/alarms", {}, key="while-away")
    await running.system.restarted("fanout", before)
    case = await running.open_case()
    await running.finished(case)
    assert phones.rung() == dict.fromkeys(phones.of, 1)
    await running.close(case)


async def test_nats_killed_under_a_press(fragile: Fragile, phones: Phones) -> None:
    """Either the press was refused, and the device tries again, or it rings. The same press id makes one case."""
    running = fragile.live
    pressing = asyncio.create_task(running.call("resident", "POST", "/v1/alarms", {}, key="under-fire"))
    await fragile.nats.kill()
    await fragile.nats.start()
    await asyncio.wait([pressing])

    async def accepted() -> bool:
        status, _ = await running.call("resident", "POST", "/v1/alarms", {}, key="under-fire")
        return status == 202

    await until(accepted, "the press to be accepted", seconds=30)
    case = await running.open_case()
    finished = await running.finished(case)
    assert len(finished.presses) == 1
    assert phones.rung() == dict.fromkeys(phones.of, 1)
    await running.close(case)


@needs_mosquitto
async def test_a_button_that_nobody_here_wrote_rings_everybody(fragile: Fragile, phones: Phones) -> None:
    running = fragile.live
    site, port = running.system.settings.site, fragile.nats.mqtt_port
    async with Button(port, site, running.household, running.tokens["resident"]) as button:
        assert await button.press({"press_id": "button-1", "kind": "medical"}) == ""
        case = await running.open_case()
        assert (await button.answer(press="button-1"))["status"] == "accepted"
    finished = await running.finished(case)
    assert (finished.alarm.kind, finished.alarm.source) == ("medical", "mqtt")
    assert phones.rung() == dict.fromkeys(phones.of, 1)
    await running.close(case)


async def test_everything_killed_and_started_again_over_a_dirty_folder() -> None:
    with open_folder() as folder:
        async with live(Path(folder, "data")) as running, phones_of(running) as phones:
            for receiver in phones.of.values():
                receiver.answer = receiver.hang
            case = await running.press()
            await until(lambda: _any_rung(phones), "the first phone to ring")
            await running.system.nc.close()
            await running.system.http.close()
            await running.system.kill_everything()
            for receiver in phones.of.values():
                receiver.released.set()
            await running.system.start()
            finished = await running.finished(case)
            assert len(finished.calls) == 13
            assert max(phones.rung().values()) <= 2
            assert min(phones.rung().values()) >= 1
            for role in ROLES:
                assert await running.system.pid(role)


async def _any_rung(phones: Phones) -> bool:
    return any(phones.rung().values())
