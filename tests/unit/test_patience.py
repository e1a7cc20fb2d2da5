"""Times that lean on each other: who waits for another waits longer than that one may take."""

from __future__ import annotations

from datetime import timedelta

from dispatch.fanout import recorder, rescue, watchdog
from dispatch.fanout.sms import session
from dispatch.fanout.work import ACK_WAIT, BEAT_SECONDS


def test_what_came_of_a_call_is_recorded_before_the_watchdog_takes_it_for_owed() -> None:
    assert timedelta(seconds=recorder.LONGEST_BATCH_SECONDS) < watchdog.OWED


def test_a_fan_out_that_is_asked_for_a_text_has_the_time_that_one_that_is_well_needs() -> None:
    needs = session.ANSWER_SECONDS + recorder.LONGEST_BATCH_SECONDS
    assert needs < rescue.PATIENT_LOOKS * watchdog.LOOK_SECONDS


def test_what_is_in_hand_is_told_of_before_the_server_gives_it_to_another() -> None:
    assert timedelta(seconds=2 * BEAT_SECONDS) < ACK_WAIT
