"""A drill rings whom it should, marked as one, counts nowhere and ends by itself; its report is what the phones saw."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from secrets import token_hex
from typing import Any, cast

from msgspec.structs import replace

from dispatch.drills import DrillBook, case_of
from dispatch.events import CASES
from dispatch.identifiers import CaseId
from dispatch.projections import ReadModels
from dispatch.roster import WebhookPoint
from tests.live import LiveSystem
from tests.receivers import receiving, status
from tests.stories import LEADER_NEXT_DOOR, OFFICERS_NEXT_DOOR, STATION, Phones, answer
from tests.the_clock import TheClock
from tests.village import SECRET
from tests.waiting import until

GROUP = "g-01"
Document = dict[str, Any]


async def begin(live: LiveSystem, **body: object) -> Document:
    status, begun = await live.call("operator", "POST", "/v1/drills", {"groups": [GROUP], **body}, key=token_hex(8))
    assert (status, begun.get("failed")) == (200, []), begun
    return cast("Document", begun["drill"])


async def the_case(live: LiveSystem, drill: Document) -> CaseId:
    async def found() -> CaseId | None:
        book = await DrillBook(live.system.nc, live.system.settings.site).require(drill["id"])
        case = case_of(book.id, book.households[0])
        return case if (await live.case(case)).raised is not None else None

    return await until(found, "the case of the drill")


async def over(live: LiveSystem, drill: Document, case: CaseId) -> None:
    await live.call("operator", "POST", f"/v1/drills/{drill['id']}/end", {})

    async def closed() -> bool:
        return not (await live.case(case)).is_open

    await until(closed, "the drill's case to be closed")


async def test_a_drill_rings_its_group_with_its_mark_and_nobody_else(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    status, plan = await live_system.call("operator", "POST", "/v1/drills/plan", {"groups": [GROUP]})
    assert (status, plan["groups"], plan["people"]) == (200, 1, 13)
    await phones.are_silent()
    drill = await begin(live_system, kind="fire")
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    for person in phones.group:
        (ring,) = phones.rings(person)
        assert (ring["drill"], ring["kind"]) == (True, "fire")
        assert "演练" in str(ring["title"])
    await the_clock.moves(45 + 45 + 60)  # in earnest, those next door and the station would have been called by now
    await phones.ring(phones.group, phones.group, phones.group)
    await over(live_system, drill, case)


async def test_with_escalation_the_neighbours_are_rung_too(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    drill = await begin(live_system, escalate=True)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    await the_clock.moves(45 + 45)
    await phones.ring(
        phones.group | {LEADER_NEXT_DOOR}, phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR
    )
    await over(live_system, drill, case)


async def test_the_report_is_what_the_phones_saw(live_system: LiveSystem, phones: Phones) -> None:
    drill = await begin(live_system)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    coming, refusing = sorted(phones.group)[:2]
    await answer(live_system, case, coming, "going")
    await answer(live_system, case, refusing, "cannot")
    link = await live_system.one_tap(case, coming)
    seen = sorted(phones.group)[2]
    seen_link = await live_system.one_tap(case, seen)
    body = {"channel": "webhook", "outcome": "delivered"}
    async with live_system.system.http.post(f"{seen_link}/receipt", json=body) as receipt:
        assert receipt.status == 200, link
    path = f"/v1/drills/{drill['id']}"

    async def reported() -> Document | None:
        _, document = await live_system.call("operator", "GET", path)
        return document if document["reached"] == 3 else None

    report = await until(reported, "the receipt to be in the report")
    assert (report["called"], report["answered"], report["open_cases"]) == (13, 2, 1)
    lines = {line["responder"]: line for line in report["lines"]}
    assert lines.keys() == phones.group
    rang = set(phones.rung())
    assert {person for person, line in lines.items() if channels(line)["webhook"] in {"sent", "delivered"}} == rang
    assert (lines[coming]["answer"], lines[refusing]["answer"], lines[seen]["answer"]) == ("going", "cannot", None)
    assert (lines[seen]["delivered_seconds"] is not None, lines[seen]["seen_seconds"]) == (True, None)
    assert "已送达，未应答" in lines[seen]["why"]
    other = sorted(phones.group)[3]
    assert "handed over, no receipt" in lines[other]["why"]
    await over(live_system, drill, case)
    _, after = await live_system.call("operator", "GET", path)
    assert (after["called"], after["reached"], after["open_cases"]) == (13, 3, 0), "right after it, too"

    headers = {"Authorization": f"Bearer {live_system.tokens['operator']}"}
    async with live_system.system.http.get(f"{path}/report.csv", headers=headers) as answered:
        assert answered.headers["Content-Type"] == "text/csv; charset=utf-8"
        raw = await answered.read()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert {row[4] for row in rows[1:] if row[4]} == phones.group


async def test_a_drill_from_the_command_line_to_its_sheet(
    live_system: LiveSystem, phones: Phones, tmp_path: Path
) -> None:
    """One has a phone that is dead, one answers, one refuses; nobody is rung before it is said that they may be."""
    dead, coming, refusing, *silent = sorted(phones.group)
    roster = live_system.system.roster
    asked, _, why = await live_system.types("drill", "--group", GROUP, "--kind", "fire")
    assert (asked, "--yes" in why) == (2, True)
    await phones.are_silent()
    async with receiving(status(410)) as nobody:
        point = WebhookPoint(url=nobody.url, secret=SECRET)
        await roster.update_person(dead, lambda known: replace(known, contact_points=(point,)), "test")
        drill = json.loads(await typed(live_system, "--group", GROUP, "--kind", "fire", "--yes", "--json"))["drill"]
        case = await the_case(live_system, drill)
        await phones.ring(phones.group - {dead})
        await live_system.finished(case)
    assert {(ring["drill"], ring["kind"]) for person in phones.rung() for ring in phones.rings(person)} == {
        (True, "fire")
    }
    await answer(live_system, case, coming, "going")
    await answer(live_system, case, refusing, "cannot")
    assert "已结束 over" in await typed(live_system, "end", drill["id"])
    await phones.hear(phones.group - {dead}, case, "called", "over")

    table = await typed(live_system, "report", drill["id"])
    assert all(person in table for person in phones.group)
    assert "呼叫 called 13，送达 reached 2，应答 answered 2" in table.splitlines()[-1]
    sheet = tmp_path / "演练.csv"
    await typed(live_system, "report", drill["id"], "--csv", sheet)
    rows = {row["人员 person"]: row for row in csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig")))}
    assert rows.keys() == phones.group
    assert rows[dead]["渠道 channels"] == "live failed; webhook failed"
    assert "HTTP 410" in rows[dead]["原因 why"]
    assert [rows[person]["应答 answer"] for person in (coming, refusing)] == ["going", "cannot"]
    assert all(float(rows[person]["应答秒 answered s"]) >= 0 for person in (coming, refusing))
    assert {rows[person]["应答 answer"] for person in silent} == {""}
    assert all("handed over, no receipt" in rows[person]["原因 why"] for person in silent)


async def typed(live: LiveSystem, *arguments: object) -> str:
    """What `dispatch drill …` prints, which must succeed."""
    code, out, err = await live.types("drill", *arguments)
    assert code == 0, err
    return out


def channels(line: Document) -> dict[str, str]:
    return {one["channel"]: one["outcome"] for one in line["channels"]}


async def test_statistics_do_not_know_of_a_drill(live_system: LiveSystem, phones: Phones) -> None:
    before = await summary(live_system)
    drill = await begin(live_system)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    await answer(live_system, case, min(phones.group), "going")
    await over(live_system, drill, case)
    after = await summary(live_system)
    assert after["drills"] == before["drills"] + 1
    assert {**after, "drills": 0} == {**before, "drills": 0}


async def summary(live: LiveSystem) -> Document:
    """The response times, once the read models have all that has happened."""
    settings = live.system.settings
    last = await live.system.nc.jetstream().get_last_msg(CASES, f"cases.{settings.site}.*.*")
    models = ReadModels(settings.require_postgres(), settings.site)
    try:
        assert await models.wait_for(last.seq or 0, 20)
    finally:
        await models.close()
    _, document = await live.call("operator", "GET", "/v1/latency")
    return cast("Document", document["summary"])


async def test_a_drill_ends_by_itself(live_system: LiveSystem, phones: Phones, the_clock: TheClock) -> None:
    drill = await begin(live_system, minutes=1)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    await the_clock.moves(44)
    assert (await live_system.case(case)).is_open
    await the_clock.moves(1)
    await phones.ring(phones.group)
    await the_clock.moves(15)
    await ended_by_itself(live_system, case)
    await phones.hear(phones.group, case, "called", "called", "over")


async def test_a_drill_whose_time_was_over_while_all_was_down_is_ended_when_it_is_back(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    drill = await begin(live_system, minutes=1)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    fanout = await live_system.system.kill("fanout")
    the_clock.leaps(60)
    await live_system.system.restarted("fanout", fanout)
    await ended_by_itself(live_system, case)
    phones.may_ring_once_more(phones.group)  # the step that was due at 45 s, if it was taken before the end


async def ended_by_itself(live: LiveSystem, case: CaseId) -> None:
    async def closed() -> bool:
        return not (await live.case(case)).is_open

    await until(closed, "the drill to end by itself")
    closing = (await live.case(case)).closing
    assert closing is not None
    assert (closing.by, "演练时间到" in closing.text) == ("system", True)


async def test_a_drill_is_over_when_a_real_alarm_has_ended_it_at_its_only_home(
    live_system: LiveSystem, phones: Phones
) -> None:
    drill = await begin(live_system, minutes=10)
    case = await the_case(live_system, drill)
    await phones.ring(phones.group)
    await live_system.press_at((await live_system.case(case)).alarm.household)
    await phones.ring(phones.group)

    async def is_over() -> Document | None:
        _, report = await live_system.call("operator", "GET", f"/v1/drills/{drill['id']}")
        return report if cast("Document", report["drill"])["over"] else None

    report = await until(is_over, "the drill to be over")
    assert "被真实警情中断" in str(report["missing"])


async def test_a_drill_leaves_a_household_with_a_real_case_alone(live_system: LiveSystem, phones: Phones) -> None:
    real = await live_system.press(kind="help")
    await phones.ring(phones.group)
    body: Document = {"households": [live_system.household]}
    status, plan = await live_system.call("operator", "POST", "/v1/drills/plan", body)
    assert (status, plan["planned"], bool(plan["left_out"])) == (200, [], True)
    status, problem = await live_system.call("operator", "POST", "/v1/drills", body)
    assert (status, "case of theirs is open" in str(problem["detail"])) == (422, True)
    before = (await live_system.case(real)).presses
    drill = await begin(live_system)
    case = await the_case(live_system, drill)
    assert (await live_system.case(case)).alarm.household != live_system.household, "another household of the group"
    assert (await live_system.case(real)).presses == before
    await phones.ring(phones.group)
    await over(live_system, drill, case)
    assert (await live_system.case(real)).is_open
