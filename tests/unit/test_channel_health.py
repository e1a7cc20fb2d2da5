"""A channel over which everything fails is noticed; an open page that is not there is no fault."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from dispatch.events import CallOutcome, CallsRecorded, Channel, Commit, Outcome
from dispatch.fanout.channel_health import FEW, LATELY, ChannelHealth
from dispatch.fanout.reasons import CLOSED
from dispatch.identifiers import CaseId, CommitId, PersonId
from tests.rings import AT


def came_to(outcome: Outcome, person: int, channel: Channel = "webpush") -> CallOutcome:
    return CallOutcome(
        step=0, responder=PersonId(f"p-{person}"), channel=channel, outcome=outcome, at=AT, reason="HTTP 401"
    )


def seen(*outcomes: CallOutcome) -> ChannelHealth:
    health = ChannelHealth()
    event = CallsRecorded(at=AT, outcomes=outcomes)
    health.see(Commit(case=CaseId("h-1-A"), seq=1, id=CommitId("c"), stored_at=AT, events=(event,)))
    return health


MANY_FAIL = [came_to("failed", person) for person in range(FEW)]


def test_everything_fails() -> None:
    incident = seen(*MANY_FAIL).incidents(AT)[0]
    assert (incident.kind, incident.what, incident.since) == ("channel", "webpush", AT)
    assert "HTTP 401" in incident.detail


@pytest.mark.parametrize(
    "outcomes",
    [
        MANY_FAIL[1:],
        [*MANY_FAIL, came_to("sent", 9)],
        [came_to("failed", 1)] * (FEW + 1),
        [replace(one, channel="live") for one in MANY_FAIL],
        [replace(one, outcome="unknown") for one in MANY_FAIL],
        [replace(one, reason=CLOSED) for one in MANY_FAIL],
    ],
    ids=["few", "one came through", "one person's alone", "open pages", "unknown", "not made"],
)
def test_no_fault_of_the_channel(outcomes: list[CallOutcome]) -> None:
    assert seen(*outcomes).incidents(AT) == []


def test_it_is_over_when_it_is_long_ago() -> None:
    assert seen(*MANY_FAIL).incidents(AT + LATELY + timedelta(seconds=1)) == []


def test_one_channel_says_nothing_of_another() -> None:
    health = seen(*MANY_FAIL, came_to("sent", 9, "webhook"))
    assert [incident.what for incident in health.incidents(AT)] == ["webpush"]
