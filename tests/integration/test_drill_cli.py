"""`dispatch drill` and `dispatch roster reachability` as a user types them, on a real log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from nats.aio.client import Client

from dispatch.events import INTAKE, connect, decode_press, ensure_streams, follow
from dispatch.identifiers import AreaId, GroupId, HouseholdId, PersonId
from dispatch.roster import ApprisePoint, Area, Group, Household, Person, Roster
from dispatch.settings import Settings
from tests.at_a_terminal import Terminal
from tests.commands import Started, environment_of
from tests.faults.rampage.proxy import proxied


@pytest.fixture
async def terminal(settings: Settings) -> AsyncIterator[Terminal]:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    roster, area, group, people = Roster(nc, settings.site), AreaId("v-1"), GroupId("g-1"), (PersonId("p-1"),)
    for document in (
        Area(id=area, name="茅州村", kind="village"),
        Group(id=group, name="一组", area=area, members=people),
        Household(id=HouseholdId("h-1"), name="李家", address="1 号", area=area, group=group),
        Person(id=people[0], name="王芳"),
    ):
        await roster.put(document, by="test")
    yield Terminal(settings, nc, None)  # type: ignore[arg-type]
    await nc.close()


async def presses(nc: Client, site: str) -> int:
    info = await nc.jetstream().stream_info(INTAKE, subjects_filter=f"intake.press.{site}.*")
    return sum((info.state.subjects or {}).values())


async def test_a_drill_is_shown_asked_for_begun_and_reported(
    terminal: Terminal, settings: Settings, tmp_path: Path
) -> None:
    code, out, err = await terminal.run("drill", "--group", "g-1")
    assert (code, "1 组 groups, 1 人 people" in out, "--yes" in err) == (2, True, True), "nobody can be asked here"
    assert await presses(terminal.nc, settings.site) == 0

    chosen = ("--area", "v-1", "--kind", "fire", "--minutes", "5", "--yes", "--by", "li")
    code, out, err = await terminal.run("drill", *chosen, "--json")
    assert (code, "{" in err) == (0, False), "no log lines on the screen"
    begun = json.loads(out)["drill"]
    assert (begun["kind"], begun["by"], begun["households"]) == ("fire", "operator:li", 1)
    message = await terminal.nc.jetstream().get_last_msg(INTAKE, f"intake.press.{settings.site}.h-1")
    press = decode_press(str(message.subject), message.headers, message.data or b"", arrived=message.time)  # type: ignore[arg-type]
    assert (press.press, press.drill, press.source) == (begun["id"], True, "cli")

    sheet = tmp_path / "演练.csv"
    code, out, err = await terminal.run("drill", "report", begun["id"], "--csv", str(sheet))
    assert (code, "called 0" in out) == (0, True), err  # no fan-out runs here
    rows = len(sheet.read_text(encoding="utf-8-sig").splitlines()) - 1
    assert (f"写入 written: {sheet}，{rows} 行" in err, "written" in out) == (True, False)
    assert sheet.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "not begun" in sheet.read_text(encoding="utf-8-sig")
    assert (await terminal.run("drill", "end", begun["id"]))[0] == 0
    listed = await terminal.json("drill", "list")
    assert (listed["id"], listed["over"]) == (begun["id"], True)
    assert "已结束 over" in (await terminal.run("drill", "list"))[1]


async def test_a_drill_that_is_killed_while_it_presses_and_gone_on_with_presses_once_for_everybody(
    terminal: Terminal, settings: Settings
) -> None:
    homes = [f"h-{number}" for number in range(1, 65)]
    roster = Roster(terminal.nc, settings.site)
    for home in homes[1:]:
        await roster.put(
            Household(id=HouseholdId(home), name=home, address="", area=AreaId("v-1"), group=GroupId("g-1")), by="test"
        )
    chosen = [word for home in homes for word in ("--household", home)]
    nats = urlsplit(settings.require_nats())
    async with proxied(nats.port or 0) as slow:
        slow.delay_seconds = 0.02  # so that its presses, sixteen at once, take a while
        through = nats._replace(netloc=nats.netloc.replace(f":{nats.port}", f":{slow.own}")).geturl()
        environment = {**environment_of(settings), "DISPATCH_NATS_URL": through}
        drilling = await asyncio.to_thread(Started, "drill", *chosen, "--yes", env=environment)
        async for _ in follow(terminal.nc, INTAKE, f"intake.press.{settings.site}.*"):
            os.kill(drilling.pid, signal.SIGKILL)
            break
        assert await drilling.ended() == -signal.SIGKILL
    assert 0 < await presses(terminal.nc, settings.site) < len(homes), "it was killed in the middle"
    (known,) = [json.loads(line) for line in (await terminal.run("drill", "list", "--json"))[1].splitlines()]
    for _ in range(2):
        code, _, err = await terminal.run("drill", "resume", known["id"])
        assert code == 0, err
        info = await terminal.nc.jetstream().stream_info(INTAKE, subjects_filter=f"intake.press.{settings.site}.*")
        assert info.state.subjects == {f"intake.press.{settings.site}.{home}": 1 for home in homes}
    assert len((await terminal.run("drill", "list", "--json"))[1].splitlines()) == 1, "it is one drill"


async def test_a_drill_that_is_over_is_not_gone_on_with(terminal: Terminal) -> None:
    _, out, _ = await terminal.run("drill", "--group", "g-1", "--yes", "--json")
    drill = json.loads(out)["drill"]["id"]
    assert (await terminal.run("drill", "end", drill))[0] == 0
    code, _, err = await terminal.run("drill", "resume", drill)
    assert (code, f"drill {drill} is over" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("resume", "d-none"), 1),
        (("--group", "g-1", "--area", "v-1", "--yes"), 2),
        (("--group", "g-9", "--yes"), 1),
        (("--household", "h-9", "--yes"), 1),
        (("--minutes", "0", "--group", "g-1", "--yes"), 2),
        (("report", "d-none"), 1),
    ],
)
async def test_what_cannot_be_rings_nobody(
    terminal: Terminal, settings: Settings, arguments: tuple[str, ...], expected: int
) -> None:
    code, _, err = await terminal.run("drill", *arguments)
    assert (code, bool(err.strip())) == (expected, True)
    assert await presses(terminal.nc, settings.site) == 0


async def test_reachability_names_whom_a_group_cannot_count_on(terminal: Terminal) -> None:
    found = await terminal.json("roster", "reachability", "--area", "v-1")
    assert (found["group"], found["score"], found["people"][0]["standing"]) == ("g-1", 0, "none")
    code, screen, err = await terminal.run("roster", "reachability")
    assert code == 0, err
    assert all(
        word in screen
        for word in (
            "一组",
            "0/1 0%",
            "没有推送、短信等联系方式（仅有电话号码或打开的页面不算）",
            "or an open page is not counted)",
        )
    )
    assert (await terminal.run("roster", "reachability", "--area", "v-9"))[0] == 1


async def test_a_contact_point_that_expired_is_named_also_of_somebody_who_can_be_reached(
    terminal: Terminal, settings: Settings
) -> None:
    expired = ApprisePoint(url="ntfy://n.example/old", retired="HTTP 410")
    points = (expired, ApprisePoint(url="ntfy://n.example/new"))
    person = Person(id=PersonId("p-1"), name="王芳", contact_points=points)
    await Roster(terminal.nc, settings.site).put(person, by="test")
    connection = await asyncpg.connect(settings.require_postgres())
    proof = "insert into reachability (site, responder, case_id, proven_at) values ($1, $2, $3, now())"
    await connection.execute(proof, settings.site, person.id, "h-1-AAAAAAAA")
    await connection.close()
    code, screen, err = await terminal.run("roster", "reachability")
    assert code == 0, err
    assert "1/1 100%" in screen
    assert "HTTP 410" in screen
