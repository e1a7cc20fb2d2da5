"""The breaker: when a provider is left alone, and when it is looked at again. Time is what the test says."""

from __future__ import annotations

from dispatch.fanout.breaker import FAILURES, LONGEST_PAUSE_SECONDS, PAUSE_SECONDS, SPAN_SECONDS, Breaker


def fail(breaker: Breaker, times: int, *, began: float, at: float) -> list[bool]:
    return [breaker.failed(began, at, "no answer", first=True) for _ in range(times)]


def opened(at: float = 100.0) -> Breaker:
    """One that opened at `at`."""
    breaker = Breaker()
    assert fail(breaker, FAILURES, began=at - SPAN_SECONDS, at=at)[-1]
    return breaker


def test_it_opens_after_many_calls_in_a_row_that_got_no_answer_for_some_time() -> None:
    breaker = Breaker()
    assert fail(breaker, FAILURES - 1, began=0, at=5) == [False] * (FAILURES - 1)
    assert breaker.state(5) == "closed"
    assert fail(breaker, 1, began=0, at=5) == [True]
    assert breaker.state(5) == "open"
    assert not breaker.lets_pass(5)


def test_a_provider_that_restarts_opens_nothing_however_many_call_it() -> None:
    breaker = Breaker()
    assert not any(fail(breaker, 100, began=0, at=SPAN_SECONDS - 0.1))
    assert breaker.lets_pass(SPAN_SECONDS)


def test_an_answer_ends_the_row() -> None:
    breaker = Breaker()
    fail(breaker, FAILURES - 1, began=0, at=5)
    breaker.answered(began=4)
    assert not any(fail(breaker, FAILURES - 1, began=5, at=10))


def test_the_tries_of_one_call_are_one_failure() -> None:
    breaker = Breaker()
    assert not any(breaker.failed(n, n + 1, "no answer", first=n == 0) for n in range(50))


def test_after_a_pause_one_call_looks_and_its_answer_closes_it() -> None:
    breaker = opened(at=100)
    later = 100 + PAUSE_SECONDS
    assert not breaker.lets_pass(later - 0.01)
    assert breaker.state(later) == "half_open"
    assert breaker.lets_pass(later)
    breaker.began(later)
    assert not breaker.lets_pass(later), "one at a time"
    assert breaker.answered(began=later)
    assert breaker.state(later) == "closed"
    assert breaker.is_new


def test_a_probe_that_fails_opens_it_for_another_pause() -> None:
    breaker = opened(at=100)
    breaker.began(101)
    assert breaker.failed(101, 101.5, "HTTP 500", first=False)
    assert breaker.why == "HTTP 500"
    assert breaker.state(101.5 + PAUSE_SECONDS - 0.01) == "open"
    assert breaker.lets_pass(101.5 + PAUSE_SECONDS)


def test_a_probe_that_hangs_keeps_nobody_waiting_for_longer_than_a_pause() -> None:
    breaker = opened(at=100)
    breaker.began(101)
    assert breaker.changes() == 101 + PAUSE_SECONDS
    assert breaker.state(101 + PAUSE_SECONDS) == "open"
    assert breaker.lets_pass(101 + 2 * PAUSE_SECONDS)


def test_a_failure_of_long_ago_holds_nobody_back() -> None:
    assert opened(at=100).lets_pass(100 + 3600)


def test_tries_that_began_before_it_opened_say_nothing_new() -> None:
    breaker = opened(at=100)
    assert not breaker.failed(96, 100.9, "no answer", first=True)
    assert not breaker.answered(began=97)
    assert breaker.changes() == 100 + PAUSE_SECONDS


def test_one_that_throttles_is_left_alone_for_as_long_as_it_asks() -> None:
    breaker = Breaker()
    assert breaker.throttled(100, 7, "HTTP 429")
    assert not breaker.lets_pass(106.9)
    assert breaker.lets_pass(107)
    assert breaker.throttled(101, 7, "HTTP 429"), "asked again, for longer"
    assert not breaker.throttled(101, 1, "HTTP 429"), "a shorter wish ends no longer one"
    assert not breaker.lets_pass(107.9)


def test_but_not_for_a_day() -> None:
    breaker = Breaker()
    breaker.throttled(100, 86_400, "HTTP 429")
    assert breaker.lets_pass(100 + LONGEST_PAUSE_SECONDS)
