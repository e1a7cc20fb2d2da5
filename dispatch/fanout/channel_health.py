"""Which channels have gone silent: many were called over them lately, and nobody was reached."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta

from dispatch.events import CallOutcome, CallsRecorded, Channel, Commit, Incident
from dispatch.fanout.reasons import NOT_MADE

LATELY = timedelta(minutes=10)
FEW = 5
"""So many failures in a row, of so many people, are no chance any more: a provider is down or our key is refused."""


class ChannelHealth:
    """What came of the latest calls over each channel. Open pages are left out: that none is open is no fault."""

    def __init__(self) -> None:
        self._failed: dict[Channel, deque[CallOutcome]] = defaultdict(deque)

    def see(self, commit: Commit) -> None:
        """Take note of what came of calls."""
        for event in commit.events:
            if isinstance(event, CallsRecorded):
                for outcome in event.outcomes:
                    self._note(outcome)

    def incidents(self, at: datetime) -> list[Incident]:
        """An incident for each channel over which everything has failed of late, `FEW` people at least."""
        found = []
        for channel, failures in self._failed.items():
            while failures and failures[0].at < at - LATELY:
                failures.popleft()
            if len({failure.responder for failure in failures}) >= FEW:
                found.append(_silent(channel, failures))
        return found

    def _note(self, outcome: CallOutcome) -> None:
        if outcome.channel == "live" or outcome.outcome == "unknown" or outcome.reason in NOT_MADE:
            return
        if outcome.outcome == "failed":
            self._failed[outcome.channel].append(outcome)
        else:
            self._failed[outcome.channel].clear()


def _silent(channel: Channel, failures: deque[CallOutcome]) -> Incident:
    detail = (
        f"渠道 {channel} 连续失败 / everything over {channel} fails; last: {failures[-1].reason or 'no reason given'}"
    )
    return Incident(kind="channel", what=channel, since=failures[0].at, detail=detail)
