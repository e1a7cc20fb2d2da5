"""110 takes a case over: when an operator hands it over, and when the policy does."""

from __future__ import annotations

from dispatch.roster import ApprisePoint, Person
from tests.live import LiveSystem
from tests.several_channels import CENTRE, HOUR, Two, agree, stand_at
from tests.the_clock import TheClock


async def test_a_case_is_handed_over_to_110(live_system: LiveSystem, two: Two, the_clock: TheClock) -> None:
    two.first.expected = two.second.expected = (1, 0)
    case = await live_system.press(kind="intrusion")
    await two.phones.ring(two.others)
    status_, shown = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {})
    assert status_ == 200
    assert any("telephone 110 yourself" in gap["reason"] for gap in shown["gaps"])  # type: ignore[attr-defined]
    await post_of_110(live_system, two)
    status_, _ = await live_system.call("operator", "POST", f"/v1/cases/{case}/hand-over", {"again": True})
    assert status_ == 200
    await two.phones.ring({CENTRE})
    (message,) = two.first.ntfy.messages
    assert message.to == "centre"
    assert "移交110：入室" in message.body
    _, view = await live_system.call("operator", "GET", f"/v1/cases/{case}")
    assert view["status"] == "raised", "it stays open until it is closed"
    assert view["handed_over"]["reached"] is True  # type: ignore[index]
    await the_clock.moves(14)
    await two.are_silent()


async def test_the_policy_hands_a_case_over_to_110_once(live_system: LiveSystem, two: Two, the_clock: TheClock) -> None:
    await agree(live_system, then="hand_over", within=10, last=60)
    await post_of_110(live_system, two)
    two.first.expected = two.second.expected = (1, 0)
    case = await live_system.press()
    await two.phones.ring(two.others)
    await the_clock.moves(10)
    await two.phones.ring({CENTRE})
    handed = (await live_system.case(case)).handed_over
    assert handed is not None
    assert (handed.by, handed.to) == ("system", (CENTRE,))
    two.first.expected = two.second.expected = (1, 1)
    await the_clock.moves(HOUR)
    await two.phones.ring(two.both)
    assert [message.to for message in two.first.ntfy.messages].count("centre") == 1


async def post_of_110(live: LiveSystem, two: Two) -> None:
    points = (two.phones.point(CENTRE), ApprisePoint(url=f"ntfy://{two.first.ntfy.host}/centre"))
    await stand_at(live, "emergency_centre", Person(id=CENTRE, name="110 值班", contact_points=points))
