"""A read model is made anew while people press and operators look."""

from __future__ import annotations

import asyncio
import os
import secrets

import asyncpg

from dispatch.identifiers import CaseId
from tests.commands import dispatch
from tests.live import LiveSystem
from tests.stories import Phones
from tests.waiting import until


async def test_what_a_bug_left_on_the_board_is_mended_while_alarms_go_on(
    live_system: LiveSystem, real_phones: Phones
) -> None:
    """People press all the while, by the real time."""
    phones = real_phones
    first = await live_system.press()
    await live_system.finished(first)
    await live_system.close(first)
    await shows(live_system, first, called=len(phones.group))
    settings = live_system.system.settings
    connection = await asyncpg.connect(settings.require_postgres())
    # as a version with a bug would have written it
    await connection.execute("update board set called = 0 where case_id = $1", first)
    await connection.close()
    await shows(live_system, first, called=0)

    rebuilt, seen, pressed = asyncio.Event(), set[str](), list[CaseId]()

    async def look() -> None:
        while not rebuilt.is_set():
            found = await board(live_system)
            assert seen <= found.keys(), "cases were gone from the board"
            seen.update(found)

    async def press() -> None:
        while not rebuilt.is_set():
            pressed.append(await press_when_the_key_may(live_system))
            await live_system.finished(pressed[-1])
            await live_system.close(pressed[-1])

    people = [asyncio.create_task(look()), asyncio.create_task(press())]
    await until(lambda: asyncio.sleep(0, bool(pressed)), "alarms to go on")
    code, out, err = await dispatch(
        "rebuild", "board", "--yes",
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")},
            "DISPATCH_SITE": settings.site,
            "DISPATCH_DATA": str(settings.data),
            "DISPATCH_NATS_URL": settings.require_nats(),
            "DISPATCH_POSTGRES_DSN": settings.require_postgres(),
        },
    )  # fmt: skip
    rebuilt.set()
    await asyncio.gather(*people)
    assert (code, "rebuilt: board" in out) == (0, True), err
    assert first in err, "the row that was wrong is named"
    await shows(live_system, first, called=len(phones.group))
    after = await press_when_the_key_may(live_system)
    await live_system.finished(after)
    for case in (*pressed, after):
        await shows(live_system, case, called=len(phones.group))
    await live_system.close(after)
    await phones.ring(*[phones.group] * len([first, *pressed, after]))


async def press_when_the_key_may(live_system: LiveSystem) -> CaseId:
    """A key that pressed a moment ago is asked to wait."""

    async def accepted() -> bool:
        status, _ = await live_system.call("resident", "POST", "/v1/alarms", {}, key=secrets.token_hex(8))
        assert status in {202, 429}
        return status == 202

    await until(accepted, "the key to be heard")
    return await live_system.open_case()


async def board(live_system: LiveSystem) -> dict[str, int]:
    """The cases that the operator's list shows, with how many were called for each."""
    status, document = await live_system.call("operator", "GET", "/v1/cases?status=all&limit=200")
    assert status == 200, document
    rows = document["cases"]
    assert isinstance(rows, list)
    return {row["case_id"]: row["called"] for row in rows}


async def shows(live_system: LiveSystem, case: CaseId, *, called: int) -> None:
    async def told() -> bool:
        return (await board(live_system)).get(case) == called

    await until(told, f"the list to show {called} called for {case}")
