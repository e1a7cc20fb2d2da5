"""A drill rings whom it should, marked as one, counts nowhere and ends by itself; its report is what the phones saw."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.clock import now
from dispatch.drills import DrillBook, case_of
from dispatch.events import CASES, PolicyStep, Quorum
from dispatch.identifiers import AreaId, CaseId, GroupId, PersonId
from dispatch.projections import ReadModels
from dispatch.roster import EscalationPolicy, call_list
from tests.acceptance.test_escalation import LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR, answer
from tests.live import LiveSystem, Phones, phones_for, rung
from tests.system import until

GROUP = "g-01"
Document = dict[str, Any]


@pytest.fixture
async def phones(live_system: LiveSystem) -> AsyncIterator[Phones]:
    """A phone for the thirteen of the group and for those next door, who escalation would call within two seconds."""
    roster, village = live_system.system.roster, AreaId("maozhou")
    area, group = (await roster.areas([village]))[village], (await roster.groups([GroupId(GROUP)]))[GroupId(GROUP)]
    steps = (
        PolicyStep(call=("group", "officers"), within_seconds=2),
        PolicyStep(call=("neighbour_leaders", "neighbour_officers", "station", "command_centre"), within_seconds=3600),
    )
    policy = EscalationPolicy(name="story", quorum=Quorum(anyone=13), steps=steps)
    await roster.put(replace(area, policies=(policy,), neighbours=(AreaId("sanhua"),)), by="test")
    await roster.put(replace(group, neighbours=(GroupId("g-02"),)), by="test")
    called = (await call_list(roster, live_system.household, now())).called
    async with phones_for(
        live_system, [*(one.person.id for one in called), LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR]
    ) as given:
        yield given


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


def of_the_group(phones: Phones) -> dict[PersonId, int]:
    nobody_else = {LEADER_NEXT_DOOR: 0, OFFICER_NEXT_DOOR: 0}
    return {person: nobody_else.get(person, 1) for person in phones.of}


async def test_a_drill_rings_its_group_with_its_mark_and_nobody_else(live_system: LiveSystem, phones: Phones) -> None:
    status, plan = await live_system.call("operator", "POST", "/v1/drills/plan", {"groups": [GROUP]})
    assert (status, plan["groups"], plan["people"]) == (200, 1, 13)
    assert phones.rung() == dict.fromkeys(phones.of, 0), "what is planned rings nobody"
    drill = await begin(live_system, kind="fire")
    case = await the_case(live_system, drill)
    await rung(phones, of_the_group(phones))
    for person in those_of(phones):
        (ring,) = phones.rings(person)
        assert (ring["drill"], ring["kind"]) == (True, "fire")
        assert "演练" in str(ring["title"])
    loaded = await live_system.finished(case)
    assert loaded.policy is not None
    assert [step.call for step in loaded.policy.steps] == [("group", "officers")]

    async def waited() -> bool:  # the policy in earnest would have called next door by now
        return (now() - loaded.alarm.at).total_seconds() > 4

    await until(waited, "the second step of the policy to be due")
    assert phones.rung()[LEADER_NEXT_DOOR] == phones.rung()[OFFICER_NEXT_DOOR] == 0
    await over(live_system, drill, case)


def those_of(phones: Phones) -> set[PersonId]:
    return phones.of.keys() - {LEADER_NEXT_DOOR, OFFICER_NEXT_DOOR}


async def test_with_escalation_the_neighbours_are_rung_too(live_system: LiveSystem, phones: Phones) -> None:
    drill = await begin(live_system, escalate=True)
    case = await the_case(live_system, drill)
    await rung(phones, dict.fromkeys(phones.of, 1))
    await over(live_system, drill, case)


async def test_the_report_is_what_the_phones_saw(live_system: LiveSystem, phones: Phones) -> None:
    drill = await begin(live_system)
    case = await the_case(live_system, drill)
    await live_system.finished(case)
    coming, refusing = sorted(those_of(phones))[:2]
    await answer(live_system, case, coming, "going")
    await answer(live_system, case, refusing, "cannot")
    link = await live_system.one_tap(case, coming)
    seen = sorted(those_of(phones))[2]
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
    assert lines.keys() == those_of(phones)
    rang = {person for person in phones.of if phones.rings(person)}
    assert {person for person, line in lines.items() if channels(line)["webhook"] in {"sent", "delivered"}} == rang
    assert (lines[coming]["answer"], lines[refusing]["answer"], lines[seen]["answer"]) == ("going", "cannot", None)
    assert (lines[seen]["delivered_seconds"] is not None, lines[seen]["seen_seconds"]) == (True, None)
    assert "已送达，未应答" in lines[seen]["why"]
    other = sorted(those_of(phones))[3]
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
    assert {row[4] for row in rows[1:] if row[4]} == those_of(phones)


def channels(line: Document) -> dict[str, str]:
    return {one["channel"]: one["outcome"] for one in line["channels"]}


@pytest.mark.usefixtures("phones")
async def test_statistics_do_not_know_of_a_drill(live_system: LiveSystem) -> None:
    before = await summary(live_system)
    drill = await begin(live_system)
    case = await the_case(live_system, drill)
    await live_system.finished(case)
    person = min(call.responder for call in (await live_system.case(case)).calls.values())
    await answer(live_system, case, person, "going")
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


@pytest.mark.usefixtures("phones")
async def test_a_drill_ends_by_itself_and_its_presses_ring_nobody_afterwards(
    live_system: LiveSystem, phones: Phones
) -> None:
    drill = await begin(live_system, minutes=1)
    case = await the_case(live_system, drill)
    book = DrillBook(live_system.system.nc, live_system.system.settings.site)
    kept = await book.require(drill["id"])
    assert (kept.until - kept.at).total_seconds() == 60
    await rung(phones, of_the_group(phones))
    fanout = await live_system.system.kill("fanout")
    bucket = await live_system.system.nc.jetstream().key_value("DRILLS")
    short = msgspec.structs.replace(kept, until=datetime(2026, 1, 1, tzinfo=UTC))  # its time passed while all was down
    await bucket.put(f"{live_system.system.settings.site}.{kept.id}", msgspec.json.encode(short))
    await live_system.system.restarted("fanout", fanout)

    async def closed() -> bool:
        return not (await live_system.case(case)).is_open

    await until(closed, "the drill to end by itself")
    closing = (await live_system.case(case)).closing
    assert closing is not None
    assert (closing.by, "演练时间到" in closing.text) == ("system", True)


async def test_a_drill_leaves_a_household_with_a_real_case_alone(live_system: LiveSystem, phones: Phones) -> None:
    real = await live_system.press(kind="help")
    await live_system.finished(real)
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
    await over(live_system, drill, case)
    assert (await live_system.case(real)).is_open
    await live_system.close(real)
    assert phones.rung()
