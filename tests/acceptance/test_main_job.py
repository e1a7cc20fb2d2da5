"""The way of an alarm, from the key to the operator's screen, on fake phones and nothing else that is not real."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks.webhooks import Webhook

from dispatch.clock import now
from dispatch.identifiers import PersonId, notification_id
from tests.live import LiveSystem
from tests.stories import LEADER_NEXT_DOOR, Phones, button_of
from tests.the_clock import TheClock
from tests.village import SECRET
from tests.waiting import until

Document = dict[str, Any]


async def read_model(live: LiveSystem, path: str, condition: Callable[[Document], bool]) -> Document:
    """What the operator reads at `path` as soon as `condition` is true of it."""

    async def found() -> Document | None:
        status, document = await live.call("operator", "GET", path)
        return document if status == 200 and condition(document) else None

    return await until(found, f"the read model behind {path}")


async def test_one_press_rings_thirteen_phones_once(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press(kind="intrusion")
    await phones.ring(phones.group)
    finished = await live_system.case(case)
    assert {call.best().outcome for call in finished.calls.values()} == {"sent"}  # type: ignore[union-attr]
    for person in phones.group:
        (ring,) = phones.rings(person)
        assert ring["notification"] == notification_id(case, person)
        assert (ring["case"], ring["kind"], ring["responder"]) == (case, "intrusion", person)
        assert str(ring["title"]).strip()


async def test_a_ring_is_signed_as_standard_webhooks_asks(live_system: LiveSystem, phones: Phones) -> None:
    await live_system.press()
    await phones.ring(phones.group)
    (request,) = phones.requests(min(phones.group))
    headers = {name.lower(): value for name, value in request.headers.items()}
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert abs(now() - at) < timedelta(minutes=1)
    # Its own `verify` knows the real time alone.
    assert Webhook(SECRET).sign(headers["webhook-id"], at, request.body.decode()) == headers["webhook-signature"]


async def test_the_same_press_twice_is_one_press_and_another_is_recorded(
    live_system: LiveSystem, phones: Phones
) -> None:
    case = await live_system.press(key="one-press")
    status, again = await live_system.call("resident", "POST", "/v1/alarms", {}, key="one-press")
    assert (status, again["duplicate"]) == (202, True)
    assert await live_system.press(key="a-second-press") == case

    async def both() -> bool:
        return len((await live_system.case(case)).presses) == 2

    await until(both, "the second press to be recorded on the open case")
    await phones.ring(phones.group)


async def test_answers_reach_the_case_and_silence_nobody(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press()
    neighbour, officer = (PersonId(live_system.subject(who)) for who in ("neighbour", "police"))
    await phones.ring(phones.group)
    link = await live_system.one_tap(case, neighbour)
    async with live_system.system.http.get(link) as page:
        assert page.status == 200
    assert (await live_system.case(case)).status == "raised", "looking at a link answers nothing"
    async with live_system.system.http.post(link, json={"answer": "going", "eta_minutes": 4}) as answered:
        assert answered.status in {200, 201}
    status, _ = await live_system.call("police", "POST", f"/v1/cases/{case}/replies", {"answer": "on_scene"})
    assert status in {200, 201}
    replied = await live_system.case(case)
    assert (replied.status, replied.replies[neighbour].eta_minutes) == ("on_scene", 4)
    assert replied.replies[officer].answer == "on_scene"
    await phones.are_silent()
    status, view = await live_system.call("resident", "GET", f"/v1/cases/{case}")
    assert (status, view["coming"], view["on_scene"]) == (200, 1, 1)
    assert "phone" not in json.dumps(view), "the resident's page carries nobody's number"


async def test_the_read_models_tell_the_whole_story(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press(kind="medical")
    await phones.ring(phones.group)
    await live_system.call("police", "POST", f"/v1/cases/{case}/replies", {"answer": "going", "eta_minutes": 3})
    await live_system.call("operator", "POST", f"/v1/cases/{case}/notes", {"text": "救护车已出发"})
    await live_system.call("operator", "POST", f"/v1/cases/{case}/resolve", {"resolution": "helped"})

    def is_over(document: Document) -> bool:
        return any(row["case_id"] == case and row["status"] == "resolved" for row in document["cases"])

    board = await read_model(live_system, "/v1/cases?status=closed", is_over)
    (row,) = [row for row in board["cases"] if row["case_id"] == case]
    assert (row["kind"], row["called"], row["household"]) == ("medical", 13, live_system.household)
    timeline = await read_model(live_system, f"/v1/cases/{case}/timeline", lambda d: len(d["entries"]) >= 6)
    types = [entry["type"] for entry in timeline["entries"]]
    assert types[:3] == ["alarm_raised", "policy_stamped", "responders_called"]
    assert types[-3:] == ["responder_replied", "case_noted", "case_resolved"]
    calls = await read_model(live_system, f"/v1/cases/{case}/calls", lambda d: len(d["calls"]) == 26)
    outcomes = {(call["channel"], call["outcome"]) for call in calls["calls"]}
    assert outcomes == {("live", "failed"), ("webhook", "sent")}
    latency = await read_model(
        live_system, "/v1/latency", lambda d: any(r["case_id"] == case and r["resolved_at"] for r in d["cases"])
    )
    (measured,) = [row for row in latency["cases"] if row["case_id"] == case]
    steps = [measured[f"{step}_at"] for step in ("pressed", "accepted", "called", "answered", "going", "resolved")]
    assert all(steps)
    assert steps == sorted(steps)
    assert measured["delivered_at"] is None, "no phone said that it rang"


async def test_what_is_known_of_a_call_never_gets_worse(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    person = min(phones.group)
    link = await live_system.one_tap(case, person)
    for said, known in (("delivered", "delivered"), ("seen", "seen"), ("delivered", "seen")):
        body = {"channel": "webhook", "outcome": said}
        async with live_system.system.http.post(f"{link}/receipt", json=body) as receipt:
            assert receipt.status == 200
        call = (await live_system.case(case)).calls[0, person]
        assert call.outcomes["webhook"].outcome == known


async def test_who_pressed_hears_how_many_come_and_what_happens_next(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    """On their page, and on the answer topic of a button, for a light or a beeper."""
    async with button_of(live_system) as heard:
        case = await live_system.press()
        await phones.ring(phones.group)
        begun = await heard(lambda said: said["next"] is not None)
        assert (begun["case"], begun["coming"], begun["next"]["what"]) == (case, 0, "widens")
        widens = datetime.fromisoformat(begun["next"]["at"])
        assert timedelta(seconds=44) < widens - now() <= timedelta(seconds=45)
        await the_clock.moves(45)
        await phones.ring(phones.group, {LEADER_NEXT_DOOR})
        await heard(lambda said: said["next"]["what"] == "widens" and said["next"]["at"] > begun["next"]["at"])
        for who, minutes in (("neighbour", 9), ("police", 4)):
            reply = {"answer": "going", "eta_minutes": minutes}
            assert (await live_system.call(who, "POST", f"/v1/cases/{case}/replies", reply))[0] == 200
        coming = await heard(lambda said: said["coming"] == 2)
        assert (coming["status"], coming["next"]["what"]) == ("under_way", "arrival")
        eta = datetime.fromisoformat(coming["nearest_eta_at"])
        assert timedelta(minutes=3) < eta - now() <= timedelta(minutes=4)
        _, page = await live_system.call("resident", "GET", f"/v1/cases/{case}")
        assert (page["coming"], page["nearest_eta_at"]) == (2, coming["nearest_eta_at"])
        await live_system.close(case)
        assert (await heard(lambda said: said["status"] == "resolved"))["next"] is None


async def test_who_pressed_a_silent_alarm_hears_nothing(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    async with button_of(live_system) as heard:
        silent = await live_system.press(silent=True)
        await phones.ring(phones.group)
        await the_clock.moves(45)
        await phones.ring(phones.group, {LEADER_NEXT_DOOR})
        await live_system.close(silent)
        await live_system.press()
        await phones.ring(phones.group)
        first = await heard(lambda _: True)
        assert first["case"] != silent


async def test_a_press_that_is_refused_says_why_and_stops_nobody(live_system: LiveSystem, phones: Phones) -> None:
    refused: list[tuple[int, Document]] = [
        await live_system.call("neighbour", "POST", "/v1/alarms", {}),
        await live_system.call("resident", "POST", "/v1/alarms", ["no", "alarm"]),
        await live_system.call("resident", "POST", "/v1/alarms", {"kind": "x" * 5000}),
    ]
    assert [code for code, _ in refused] == [403, 400, 413]
    for code, problem in refused:
        assert problem["status"] == code
        assert problem["detail"]
    await phones.are_silent()
    await live_system.press()
    await phones.ring(phones.group)


async def test_a_drill_rings_and_says_that_it_is_one(live_system: LiveSystem, phones: Phones) -> None:
    await live_system.press(drill=True)
    await phones.ring(phones.group)
    for person in phones.group:
        (ring,) = phones.rings(person)
        assert ring["drill"] is True
        assert "演练" in str(ring["title"])
