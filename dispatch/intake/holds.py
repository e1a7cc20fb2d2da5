"""Whose token may not sign in for a while, because a button with it sent more than any key can mean."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

FIRST, LONGEST = timedelta(minutes=1), timedelta(minutes=16)
"""What a button sends before it is thrown out keeps a disk busy for ten seconds; others need the greater part."""
REMEMBERED = timedelta(minutes=10)
"""How long after a hold the next one is still twice as long."""
SHOWN = timedelta(minutes=1)
"""How long after a hold the desk still shows it: until then it may begin again."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """`since` is when the first of several holds in a row began."""

    token: str
    household: str
    since: datetime
    begun: datetime
    until: datetime


class Holds:
    """Who is held, by the token's id: for `first`, then for twice as long each time, up to `longest`."""

    def __init__(self, *, first: timedelta = FIRST, longest: timedelta = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._of: dict[str, Hold] = {}

    def wait(self, token: str, at: datetime) -> float:
        """The seconds until `token` may sign in; 0 when it may now."""
        hold = self._of.get(token)
        return max(0.0, (hold.until - at).total_seconds()) if hold else 0.0

    def hold(self, token: str, household: str, at: datetime) -> Hold:
        """Hold `token`; one that is held already is held no longer for it."""
        before = self._of.get(token)
        if before is None or at > before.until + REMEMBERED:
            hold = Hold(token=token, household=household, since=at, begun=at, until=at + self._first)
        elif at <= before.until:
            return before
        else:
            length = min(2 * (before.until - before.begun), self._longest)
            hold = msgspec.structs.replace(before, begun=at, until=at + length)
        self.take(hold)
        return hold

    def take(self, hold: Hold) -> None:
        """Take over what another process says; of two holds of one token the later one counts."""
        before = self._of.get(hold.token)
        if before is None or hold.until > before.until:
            self._of[hold.token] = hold

    def shown(self, at: datetime) -> list[Hold]:
        """Those that the desk should see, the oldest first; what is long over is forgotten."""
        self._of = {token: hold for token, hold in self._of.items() if at <= hold.until + REMEMBERED}
        return sorted((hold for hold in self._of.values() if at <= hold.until + SHOWN), key=lambda hold: hold.since)
