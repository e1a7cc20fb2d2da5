"""An operator leads a case: holds it back and lets it go on, widens, calls one more, stands somebody down."""

from __future__ import annotations

from dispatch.identifiers import CaseId, PersonId
from tests.live import LiveSystem
from tests.stories import LEADER_NEXT_DOOR, OFFICERS_NEXT_DOOR, STATION, Phones
from tests.the_clock import TheClock

MINUTE = 60


async def ask(live: LiveSystem, case: CaseId, deed: str, **body: object) -> None:
    status, _ = await live.call("operator", "POST", f"/v1/cases/{case}/{deed}", body)
    assert status == 200


async def paused(live: LiveSystem, phones: Phones) -> CaseId:
    """A press, upon which the group rings and an operator holds the escalation back for ten minutes."""
    case = await live.press()
    await phones.ring(phones.group)
    await ask(live, case, "pause", minutes=10)
    return case


async def test_who_is_stood_down_by_name_stays_so_until_called_by_name(live_system: LiveSystem, phones: Phones) -> None:
    case = await live_system.press()
    neighbour = PersonId(live_system.subject("neighbour"))
    others = phones.group - {neighbour}
    await phones.ring(phones.group)
    await ask(live_system, case, "stand-down", responders=[neighbour])
    await ask(live_system, case, "widen")
    await phones.ring(others, {LEADER_NEXT_DOOR})
    await ask(live_system, case, "calls", responder=neighbour)
    await phones.ring({neighbour})


async def test_an_operator_holds_the_escalation_back_for_a_while(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    await paused(live_system, phones)
    await the_clock.moves(10 * MINUTE - 1)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})


async def test_a_pause_is_taken_back_and_what_fell_due_in_it_is_done_at_once(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    """The pause's own end, when it comes, does nothing more."""
    case = await paused(live_system, phones)
    await the_clock.moves(9 * MINUTE + 45)
    await phones.are_silent()
    await ask(live_system, case, "resume")
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    await the_clock.moves(44)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR)


async def test_a_pause_that_is_taken_back_at_once_changes_nothing(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await paused(live_system, phones)
    await the_clock.moves(10)
    await ask(live_system, case, "resume")
    await the_clock.moves(34)
    await phones.are_silent()
    await the_clock.moves(1)
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})


async def test_where_no_browser_works_the_case_is_led_from_a_terminal(
    live_system: LiveSystem, phones: Phones, the_clock: TheClock
) -> None:
    case = await live_system.press()
    neighbour = PersonId(live_system.subject("neighbour"))
    await phones.ring(phones.group)

    async def typed(deed: str, *arguments: object) -> None:
        code, _, why = await live_system.types("case", deed, case, *arguments, "--by", "wang")
        assert code == 0, why

    await typed("pause", "--minutes", 10)
    await the_clock.moves(MINUTE)
    await phones.are_silent()
    await typed("stand-down", neighbour)
    await typed("resume")
    await phones.ring(phones.group - {neighbour}, {LEADER_NEXT_DOOR})
    await typed("call", neighbour)
    await phones.ring({neighbour})
    await typed("widen")
    await phones.ring(phones.group | {LEADER_NEXT_DOOR, STATION} | OFFICERS_NEXT_DOOR)
    _, told, _ = await live_system.types("case", "timeline", case)
    assert all(word in told for word in ("暂停升级 paused", "继续升级 resumed", "解除 stood down", "(wang)"))


async def test_an_operator_who_knows_more_widens_at_once_and_calls_one_more(
    live_system: LiveSystem, phones: Phones
) -> None:
    case = await live_system.press()
    await phones.ring(phones.group)
    await ask(live_system, case, "widen")
    await phones.ring(phones.group, {LEADER_NEXT_DOOR})
    await ask(live_system, case, "calls", responder=STATION)
    await phones.ring({STATION})
