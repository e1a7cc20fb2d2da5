"""Imported cases, and the cases of an officer, in reports."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from dispatch.cases import CaseDesk, LeaveOut
from dispatch.history.past_calls import PastCall, PastResponse, as_events
from dispatch.identifiers import AreaId, CommitId, PersonId, case_id_for
from tests.integration.reports.office import Office
from tests.integration.reports.told import AS_OF, PRESSED, SINCE, UNTIL, VERDICTS, Told
from tests.projection_stories import NOON, press_on


async def imported(office: Office, *calls: PastCall) -> None:
    for call in calls:
        await office.log.keep_past(call.case, as_events(call, (AreaId("v-1"), AreaId("c"))), commit=call.commit)
    await office.told([])


async def test_an_imported_case_is_never_open_and_what_nobody_recorded_of_its_end_is_unknown(office: Office) -> None:
    """Also one of a moment ago: nobody goes on with it here, so no step of it is still to come."""
    at = AS_OF - timedelta(seconds=20)
    unit = PastResponse(responder=PersonId("e-1"), called_at=at, en_route_at=at + timedelta(seconds=15))
    cleared = PastResponse(responder=PersonId("e-1"), cleared_at=at + timedelta(seconds=900))
    call = PastCall(call="1", kind="fire", area=AreaId("v-1"), raised_at=at)
    await imported(office, replace(call, responses=(unit,)), replace(call, call="2", responses=(cleared,)))
    row = (await office.response())[""]
    assert (row["cases"], row["open"]) == (2, 0)
    board, _ = await office.models.list_cases(status="open", area=None, kind=None, limit=10, before=None)
    assert board == []
    found = {step: {name: row["steps"][step][name] for name in VERDICTS} for step in row["steps"]}
    none = dict.fromkeys(VERDICTS, 0)
    assert found == {
        "answered": none | {"within": 1, "missed": 1},
        "under_way": none | {"within": 1, "missed": 1},
        "on_scene": none | {"no_target": 2},
        "closed": none | {"within": 1, "unknown": 1},
    }
    assert (row["steps"]["closed"]["share"], row["steps"]["closed"]["count"]) == (1.0, 1)


async def test_the_cases_of_an_officer_are_those_on_which_they_were_called_and_not_left_out(office: Office) -> None:
    await office.told([Told("h-1", PRESSED), Told("h-2", PRESSED), Told("h-3", PRESSED, drill=True)])
    at = PRESSED + timedelta(seconds=60)
    only = PastCall(call="1", kind="fire", area=AreaId("v-1"), raised_at=PRESSED)
    await imported(office, replace(only, responses=(PastResponse(responder=PersonId("e-1"), called_at=at),)))
    opening = press_on("h-2", at=(PRESSED - NOON).total_seconds())
    out = LeaveOut(id=CommitId("out"), at=at, people=(PersonId("p-1"),), by="operator:li")
    await CaseDesk(office.log).handle(case_id_for(opening.press.household, opening.press.press), out)
    await office.told([])
    cases = {who: await office.response(responder=PersonId(who)) for who in ("p-1", "p-2", "e-1", "nobody")}
    assert {who: rows[""]["cases"] for who, rows in cases.items() if rows} == {"p-1": 1, "p-2": 2, "e-1": 1}
    drills = [
        await office.models.reports.drills(since=SINCE, until=UNTIL, responder=PersonId(who)) for who in ("p-1", "e-1")
    ]
    assert drills == [1, 0]
