"""How often a device may press: the first presses pass, a retry is free, and no device eats another's share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.errors import TooFrequent, Unavailable
from dispatch.events import Press
from dispatch.identifiers import CaseId, HouseholdId, PressId
from dispatch.intake.frequency import Frequency, Limits

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
LIMITS = Limits(burst=3, seconds=2)


def press(name: str, *, device: str = "phone", drill: bool = False) -> Press:
    return Press(
        press=PressId(name),
        household=HouseholdId("h-1"),
        device=device,
        source="http",
        pressed_at=START,
        drill=drill,
    )


def passes(frequency: Frequency, name: str, seconds: float = 0, *, device: str = "phone", drill: bool = False) -> bool:
    try:
        with frequency.counted(press(name, device=device, drill=drill), START + timedelta(seconds=seconds)):
            return True
    except TooFrequent:
        return False


def fails(frequency: Frequency, name: str, over: CaseId | None = None) -> None:
    with pytest.raises(Unavailable), frequency.counted(press(name), START, over=over):
        raise Unavailable("no acknowledgement")


def test_a_burst_passes_then_one_each_two_seconds() -> None:
    frequency = Frequency(LIMITS)
    moments = [0, 0, 0, 0, 1, 2, 2, 3.9, 4, 4.1]
    passed = [passes(frequency, f"p{n}", at) for n, at in enumerate(moments)]
    assert passed == [True, True, True, False, False, True, False, False, True, False]


def test_after_a_rest_the_whole_burst_is_there_again_and_no_more() -> None:
    frequency = Frequency(LIMITS)
    assert [passes(frequency, f"a{n}") for n in range(4)] == [True, True, True, False]
    assert [passes(frequency, f"b{n}", 3600) for n in range(4)] == [True, True, True, False]


def test_it_says_how_long_to_wait() -> None:
    frequency = Frequency(LIMITS)
    for name in "abc":
        passes(frequency, name)
    with pytest.raises(TooFrequent) as refused, frequency.counted(press("d"), START + timedelta(seconds=0.5)):
        pass
    assert refused.value.retry_after == 1.5


def test_a_retry_is_free_and_one_that_was_refused_is_not_a_retry() -> None:
    frequency = Frequency(LIMITS)
    assert all(passes(frequency, name) for name in "abc")
    assert all(passes(frequency, name) for name in "abcabc")
    assert not any(passes(frequency, "d") for _ in range(3))


def test_a_stuck_key_takes_nothing_from_another_device_nor_a_drill_from_a_real_press() -> None:
    frequency = Frequency(LIMITS)
    for n in range(20):
        passes(frequency, f"p{n}", drill=True)
    assert passes(frequency, "real")
    assert passes(frequency, "gate", device="gate")


def test_what_could_not_be_stored_counts_for_nothing() -> None:
    frequency = Frequency(LIMITS)
    for n in range(50):
        fails(frequency, f"p{n}")
    assert [passes(frequency, f"q{n}") for n in range(4)] == [True, True, True, False]


def refusal(frequency: Frequency, name: str, at: datetime) -> str:
    with pytest.raises(TooFrequent) as refused, frequency.counted(press(name), at):
        pass
    return refused.value.detail


@pytest.mark.parametrize("burst_before", [False, True])
def test_it_never_says_accepted_of_what_is_only_on_its_way(burst_before: bool) -> None:
    frequency, at = Frequency(Limits(burst=1, seconds=60)), START + timedelta(hours=5)
    if burst_before:
        assert passes(frequency, "yesterday's")
    with frequency.counted(press("first"), at):
        assert "being stored" in refusal(frequency, "second", at)
    assert "already accepted" in refusal(frequency, "third", at)


def after(frequency: Frequency, name: str, over: str) -> bool:
    """Whether the press passes while the household's newest case is `over`."""
    try:
        with frequency.counted(press(name), START, over=CaseId(over)):
            return True
    except TooFrequent:
        return False


def test_after_each_case_that_is_over_one_press_passes_that_is_one_too_many() -> None:
    frequency = Frequency(LIMITS)
    assert [passes(frequency, name) for name in "abcd"] == [True, True, True, False]
    assert [after(frequency, name, "h-1-A") for name in "efef"] == [True, False, True, False]
    assert [after(frequency, name, "h-1-B") for name in "gh"] == [True, False]


def test_not_even_false_alarms_open_cases_without_end() -> None:
    frequency = Frequency(LIMITS)
    assert all(passes(frequency, name) for name in "abc")
    assert [after(frequency, f"p{n}", f"h-1-{n}") for n in range(8)] == [True] * 6 + [False] * 2


def test_the_one_press_after_a_case_is_not_used_up_before_it_is_stored() -> None:
    frequency = Frequency(LIMITS)
    assert all(passes(frequency, name) for name in "abc")
    fails(frequency, "d", over=CaseId("h-1-A"))
    assert [after(frequency, name, "h-1-A") for name in "ef"] == [True, False]


def test_memory_is_bounded_and_the_latest_are_kept() -> None:
    frequency = Frequency(Limits(burst=1, seconds=3600, senders=10))
    for n in range(1000):
        assert passes(frequency, "p", device=f"d{n}")
    assert len(frequency._senders) == 10
    assert not passes(frequency, "q", device="d999")


@given(st.lists(st.floats(min_value=-100, max_value=100), min_size=1, max_size=60))
def test_a_clock_that_jumps_neither_opens_the_gate_nor_locks_it(jumps: list[float]) -> None:
    frequency = Frequency(LIMITS)
    at, forward, passed = 0.0, 0.0, 0
    for n, jump in enumerate(jumps):
        at, forward = at + jump, forward + max(0.0, jump)
        passed += passes(frequency, f"p{n}", at)
    assert passed <= LIMITS.burst + forward / LIMITS.seconds + 1e-6
    assert passes(frequency, "later", at + LIMITS.seconds)
