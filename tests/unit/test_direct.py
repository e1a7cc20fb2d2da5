"""What was read without a consumer looks as if one had delivered it, to the digit: ids are made of its time."""

from __future__ import annotations

from typing import Any, cast

import pytest
from nats.aio.msg import Msg

from dispatch.events import as_delivered

NOBODY = cast("Any", None)
SECOND = 1_795_336_498


@pytest.mark.parametrize(
    ("stamp", "nanos"),
    [
        ("2026-11-22T08:34:58.123456789Z", 123_456_789),
        ("2026-11-22T08:34:58.1234565Z", 123_456_500),
        ("2026-11-22T08:34:58.9999999Z", 999_999_900),
        ("2026-11-22T08:34:58.05Z", 50_000_000),
        ("2026-11-22T08:34:58Z", 0),
    ],
)
def test_its_time_is_the_one_that_a_consumer_says(stamp: str, nanos: int) -> None:
    headers = {
        "Nats-Stream": "INTAKE", "Nats-Sequence": "7", "Nats-Time-Stamp": stamp, "Nats-Subject": "intake.press.s.h-1",
    }  # fmt: skip
    found = as_delivered(NOBODY, Msg(NOBODY, data=b"{}", headers=headers), by="watch", times=2)
    reply = f"$JS.ACK.INTAKE.fanout-s.1.7.1.{SECOND * 10**9 + nanos}.0"
    delivered = Msg(NOBODY, subject="intake.press.s.h-1", reply=reply, data=b"{}")
    assert found.metadata.timestamp == delivered.metadata.timestamp
    assert (found.subject, found.data, found.metadata.stream) == ("intake.press.s.h-1", b"{}", "INTAKE")
    assert (found.metadata.sequence.stream, found.metadata.num_delivered) == (7, 2)
