"""Silence and danger: a silent alarm, a cancel under duress, somebody who must not be called, a false alarm."""

from __future__ import annotations

import secrets
from typing import Any

from msgspec.structs import replace

from dispatch.clock import now
from dispatch.identifiers import CaseId, PersonId
from dispatch.roster import LeftOut
from dispatch.web.views import LIVES_THERE
from tests.live import LiveSystem
from tests.stories import LEADER_NEXT_DOOR, Phones
from tests.the_clock import TheClock
from tests.waiting import until

PIN, DURESS = "4711", "0815"


def left_out(live: LiveSystem) -> str:
    return f"/v1/households/{live.household}/left-out"


async def at_home(live: LiveSystem, case: CaseId) -> dict[str, Any]:
    return (await live.call("resident", "GET", f"/v1/cases/{case}"))[1]


async def cancel(live: LiveSystem, case: CaseId, pin: str) -> tuple[int, dict[str, object]]:
    return await live.call("resident", "POST", f"/v1/cases/{case}/cancel", {"pin": pin})


async def give_pins(live: LiveSystem) -> None:
    path = f"/v1/households/{live.household}/pin"
    assert (await live.call("operator", "POST", path, {"pin": PIN, "duress_pin": DURESS}))[0] == 200


async def live_there(live: LiveSystem, *people: PersonId) -> None:
    """The roster says that `people` and nobody else live in the household."""
    roster = live.system.roster
    await roster.update_household(live.household, lambda home: replace(home, residents=people), "test")


async def press_again(live: LiveSystem, before: CaseId) -> CaseId:
    """Press while the case `before` goes on under duress, and wait for the other case that this opens."""
    assert (await live.call("resident", "POST", "/v1/alarms", {}, key=secrets.token_hex(8)))[0] == 202

    async def another() -> CaseId | None:
        head = await live.log.head(live.household)
        return head.case if head is not None and head.case != before else None

    return await until(another, "another case to open")


async def made_to_cancel(live: LiveSystem, phones: Phones) -> tuple[CaseId, dict[str, object]]:
    """A press, and a cancel with the duress PIN; all are called at once, and then again with the leader next door."""
    await give_pins(live)
    case = await live.press()
    await phones.ring(phones.group)
    status, shown = await cancel(live, case, DURESS)
    assert (status, shown["status"]) == (200, "cancelled")
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    return case, shown


async def leave_out(live: LiveSystem, person: str) -> None:
    body = {"person": person, "reason": "violent towards her"}
    assert (await live.call("operator", "POST", left_out(live), body))[0] == 200


async def test_everybody_who_comes_to_a_silent_alarm_is_told_not_to_ring_back(
    live_system: LiveSystem, phones: Phones
) -> None:
    case = await live_system.press(silent=True)
    await phones.ring(phones.group)
    for person in phones.group:
        (ring,) = phones.rings(person)
        assert ring["silent"] is True
        assert "请勿回拨" in str(ring["body"])
        assert "do not ring back" in str(ring["body"])
    status, _ = await live_system.call("resident", "POST", f"/v1/cases/{case}/cancel", {})
    assert (status, (await live_system.case(case)).is_open) == (403, True), "nor can it be forced off at home"


async def test_a_cancel_under_duress_calls_for_more_and_nobody_at_home_can_tell(
    live_system: LiveSystem, phones: Phones
) -> None:
    case, shown = await made_to_cancel(live_system, phones)
    for person in {*phones.group, LEADER_NEXT_DOOR}:
        ring = phones.rings(person)[-1]
        assert (ring["duress"], ring["silent"]) == (True, True)
        assert "不要让对方看出您已知情" in str(ring["body"])
    assert (await at_home(live_system, case)) == shown, "and so it stays"
    going_on = (await live_system.call("operator", "GET", f"/v1/cases/{case}"))[1]
    assert (going_on["status"], going_on["duress"]) == ("raised", True)
    await live_system.close(case)
    assert (await at_home(live_system, case)) == shown


async def test_a_press_after_a_duress_opens_another_case_and_calls_everybody(
    live_system: LiveSystem, phones: Phones
) -> None:
    """As it would after a cancel, for whoever makes them press once more looks on."""
    first, shown = await made_to_cancel(live_system, phones)
    second = await press_again(live_system, first)
    await phones.ring(phones.group)
    for person in phones.group:
        ring = phones.rings(person)[-1]
        assert (ring["case"], ring["duress"], ring["silent"]) == (second, True, True)
        assert "同一户" in str(ring["title"])
        assert "不要让对方看出您已知情" in str(ring["body"])
    seen = await at_home(live_system, second)
    assert (seen["status"], seen["silent"], seen["presses"], seen["escalation"]["position"]) == ("raised", False, 1, 0)
    assert {"duress", "beside"}.isdisjoint(seen)
    assert (await cancel(live_system, second, PIN))[1]["status"] == "cancelled"
    assert [(await live_system.case(case)).is_open for case in (first, second)] == [True, False]
    third = await press_again(live_system, second)
    await phones.ring(phones.group)
    words = {tuple(phones.words(person, second)) for person in phones.group}
    assert words == {("called",)}, "nobody is told to stay at home while the first goes on"
    assert (await live_system.case(third)).beside == first
    assert (await cancel(live_system, third, DURESS))[1]["status"] == "cancelled"
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    assert [(await live_system.case(case)).is_open for case in (first, third)] == [True, True]
    assert (await at_home(live_system, first)) == shown


async def test_who_lives_there_is_not_rung_while_nothing_may_be_heard(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    him = PersonId(live_system.subject("neighbour"))
    await live_there(live_system, him)
    case = await live_system.press(silent=True)
    others = phones.group - {him}
    await phones.ring(others)
    await the_clock.moves(45)
    await phones.ring(others, {LEADER_NEXT_DOOR})
    view: Any = (await live_system.call("operator", "GET", f"/v1/cases/{case}"))[1]
    assert [gap["reason"] for gap in view["gaps"] if "高德贵" in gap["what"]] == [LIVES_THERE]
    assert LIVES_THERE not in str(await at_home(live_system, case))
    path = f"/v1/cases/{case}/calls"
    assert (await live_system.call("operator", "POST", path, {"responder": him}))[0] == 409, "only knowingly"


async def test_who_lives_there_hears_of_a_duress_what_they_would_of_a_cancel(
    live_system: LiveSystem, phones: Phones
) -> None:
    await give_pins(live_system)
    him = PersonId(live_system.subject("neighbour"))
    await live_there(live_system, him)
    heard: list[list[tuple[object, ...]]] = []
    cases: list[CaseId] = []
    for pin in (PIN, DURESS):
        case = await live_system.press()
        cases.append(case)
        await phones.ring(phones.group)
        await cancel(live_system, case, pin)
        await phones.hear({him}, case, "called", "over")
        told_him = [said for said in phones.said(him) if said["case"] == case]
        heard.append([(said["word"], said["title"], said["body"], said["duress"], said["silent"]) for said in told_him])
        status, seen = await live_system.call("neighbour", "GET", f"/v1/cases/{case}")
        assert (status, seen["status"], seen["duress"], seen["silent"]) == (200, "cancelled", False, False)
        answered = await live_system.call("neighbour", "POST", f"/v1/cases/{case}/replies", {"answer": "on_scene"})
        assert answered[0] == 409
        timeline: Any = (await live_system.call("neighbour", "GET", f"/v1/cases/{case}/timeline"))[1]["entries"]
        assert "duress_signalled" not in {entry["type"] for entry in timeline}
    assert heard[0] == heard[1]
    await phones.ring(phones.group - {him}, {LEADER_NEXT_DOOR})
    case = cases[-1]
    second = await press_again(live_system, case)
    await phones.ring(phones.group)
    ring = phones.rings(him)[-1]
    assert (ring["case"], ring["duress"], ring["silent"]) == (second, False, False)
    assert "同一户" not in f"{ring['title']}{ring['body']}"
    seen = (await live_system.call("neighbour", "GET", f"/v1/cases/{second}"))[1]
    assert (seen["duress"], seen["beside"], seen["silent"]) == (False, None, False)
    await live_system.close(case)
    await live_system.close(second)
    await phones.hear(phones.group, second, "called", "over")
    assert phones.words(him, case) == ["called", "over"], "which he was told before"


async def test_a_duress_on_a_drill_is_an_alarm_in_earnest(live_system: LiveSystem, phones: Phones) -> None:
    await give_pins(live_system)
    case = await live_system.press(drill=True)
    await phones.ring(phones.group)
    answer = {"answer": "cannot"}
    assert (await live_system.call("neighbour", "POST", f"/v1/cases/{case}/replies", answer))[0] == 200
    assert (await cancel(live_system, case, DURESS))[1]["status"] == "cancelled"
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    for person in {*phones.group, LEADER_NEXT_DOOR}:
        ring = phones.rings(person)[-1]
        assert (ring["drill"], ring["duress"]) == (False, True)
        assert "DRILL" not in str(ring["title"])
        assert "这不是演练" in str(ring["body"])
    view = (await live_system.call("operator", "GET", f"/v1/cases/{case}"))[1]
    assert (view["drill"], view["duress"], view["coming"]) == (False, True, 0)
    assert (await at_home(live_system, case))["drill"] is True


async def test_a_cancel_with_the_pin_ends_it_and_everybody_is_told(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await give_pins(live_system)
    case = await live_system.press()
    await phones.ring(phones.group)
    assert (await cancel(live_system, case, "0000"))[0] == 403
    assert (await live_system.case(case)).is_open, "the alarm goes on"
    assert (await cancel(live_system, case, PIN))[0] == 200
    await phones.hear(phones.group, case, "called", "over")
    await the_clock.moves(45)
    await phones.are_silent()


async def test_who_is_left_out_is_never_called_for_that_household(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    him = PersonId(live_system.subject("neighbour"))
    for person in (him, LEADER_NEXT_DOOR):
        await leave_out(live_system, person)
    case = await live_system.press()
    others = phones.group - {him}
    await phones.ring(others)
    await the_clock.moves(45)
    await phones.ring(others)
    trail: Any = (await live_system.call("operator", "GET", left_out(live_system)))[1]["trail"]
    told = [(entry["person"], entry["reason"], entry["by"]) for entry in trail[-2:]]
    operator = live_system.cast.operator.subject
    assert [who for who, _, _ in told] == [him, LEADER_NEXT_DOOR]
    assert {(why, by) for _, why, by in told} == {("violent towards her", f"operator:{operator}")}
    assert him not in str(await at_home(live_system, case))
    await live_system.close(case)
    await phones.hear(others, case, "called", "called", "over")
    assert phones.words(him, case) == []


async def test_who_was_left_out_while_their_call_was_planned_is_not_called_again(
    live_system: LiveSystem, phones: Phones
) -> None:
    """The roster says it and the case does not know: the plan was read before, or who wrote it was killed."""
    him, roster = PersonId(live_system.subject("neighbour")), live_system.system.roster
    case = await live_system.press()
    await phones.ring(phones.group)
    entry = LeftOut(person=him, by="test", at=now(), reason="x")
    await roster.update_household(live_system.household, lambda home: replace(home, left_out=(entry,)), "test")
    assert (await live_system.call("operator", "POST", f"/v1/cases/{case}/widen", {}))[0] == 200
    await phones.ring(phones.group - {him}, {LEADER_NEXT_DOOR})
    assert (await live_system.call("neighbour", "GET", f"/v1/cases/{case}"))[0] == 404


async def test_who_is_left_out_while_it_goes_on_hears_no_more_of_it(live_system: LiveSystem, phones: Phones) -> None:
    him = PersonId(live_system.subject("neighbour"))
    case = await live_system.press()
    await phones.ring(phones.group)
    link = await live_system.one_tap(case, him)
    await leave_out(live_system, him)
    assert (await live_system.call("operator", "POST", f"/v1/cases/{case}/widen", {}))[0] == 200
    await phones.ring(phones.group - {him}, {LEADER_NEXT_DOOR})
    assert (await live_system.call("neighbour", "GET", f"/v1/cases/{case}"))[0] == 404
    async with live_system.system.http.get(f"{link}/case") as answer:
        assert answer.status == 404
    await live_system.close(case)
    await phones.hear(phones.group - {him}, case, "called", "called", "over")
    assert phones.words(him, case) == ["called"]


async def test_an_operator_calls_who_is_left_out_only_knowingly(live_system: LiveSystem, phones: Phones) -> None:
    him = PersonId(live_system.subject("neighbour"))
    await leave_out(live_system, him)
    case = await live_system.press()
    await phones.ring(phones.group - {him})
    path = f"/v1/cases/{case}/calls"
    assert (await live_system.call("operator", "POST", path, {"responder": him}))[0] == 409
    assert (await live_system.call("operator", "POST", path, {"responder": him, "even_left_out": True}))[0] == 200
    await phones.ring({him})


async def test_a_false_alarm_keeps_its_record_and_is_counted_as_one(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    before = (await live_system.call("operator", "GET", "/v1/latency"))[1]["summary"]
    body = {"resolution": "false_alarm", "text": "猫"}
    assert (await live_system.call("operator", "POST", f"/v1/cases/{case}/resolve", body))[0] == 200

    async def counted() -> dict[str, Any] | None:
        summary: Any = (await live_system.call("operator", "GET", "/v1/latency"))[1]["summary"]
        return summary if summary["false_alarms"] == before["false_alarms"] + 1 else None  # type: ignore[index]

    assert (await until(counted, "the false alarm to be counted"))["cases"] >= 1
    entries: Any = (await live_system.call("operator", "GET", f"/v1/cases/{case}/timeline"))[1]["entries"]
    types = [entry["type"] for entry in entries]
    assert (types[0], types[-1]) == ("alarm_raised", "case_resolved")
    assert {"responders_called", "calls_recorded"} <= set(types)
    assert entries[-1]["data"] == {"by": entries[-1]["data"]["by"], "resolution": "false_alarm", "text": "猫"}
    calls: Any = (await live_system.call("operator", "GET", f"/v1/cases/{case}/calls"))[1]["calls"]
    assert len({call["responder"] for call in calls}) == 13
