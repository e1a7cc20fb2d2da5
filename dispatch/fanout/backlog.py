"""Back-pressure, told in numbers: how many presses and first rings wait, and since when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from time import monotonic

import structlog
from nats.aio.msg import Msg

from dispatch.cases import Case
from dispatch.errors import Unreadable
from dispatch.events import Incident, Strained, decode_strained
from dispatch.fanout.calls import place_of
from dispatch.fanout.turns import Rank

log = structlog.get_logger()

HEARD_SECONDS = 4.0
"""Who is strained says so every second; who does so no more is well, or gone."""
MOST_LOGGED, SHOWN_BYTES = 32, 200
"""Words that cannot be read, each for another reason, and how much of each is logged."""
SEVERAL = 2
"""Cases of which first rings wait: what one of them owes is told with its name."""


def presses_waiting(number: int, since: datetime) -> Incident:
    """That the fan-out is behind with presses: `number` were stored and are not dealt with, the oldest at `since`."""
    detail = f"按键等待立案：{number} 个 / presses waiting to become cases: {number}"
    return Incident(kind="waiting", what="fanout", since=since, detail=detail)


def first_rings_waiting(cases: Iterable[Case], before: datetime) -> list[Incident]:
    """How many people wait for their first ring since before `before`, over all `cases`, where those are several."""
    waiting: list[datetime] = []
    behind = 0
    for case in cases:
        first = [call for call in case.owed() if place_of(case, call).rank is Rank.FIRST]
        late = [at for call in first if (at := min(map(call.asked_at, call.owed()))) < before]
        waiting += late
        behind += bool(late)
    if behind < SEVERAL:
        return []
    people = len(waiting)
    detail = f"首次呼叫等待中：{behind} 起警情 {people} 人 / first rings waiting: {people} people in {behind} cases"
    return [Incident(kind="backlog", what="first-rings", since=min(waiting), detail=detail)]


class Strains:
    """What the processes that take presses have said lately of the store of presses."""

    def __init__(self, passed: Callable[[], float] = monotonic) -> None:
        self._passed = passed
        self._heard: dict[str, tuple[float, Strained]] = {}
        self._unreadable: set[str] = set()
        """Why something could not be read; it comes every second and is logged once."""

    async def hear(self, message: Msg) -> None:
        try:
            said = decode_strained(message.data)
        except Unreadable as error:  # of another version: that something is wrong is not known by it
            self._tell(error.detail, message.data[:SHOWN_BYTES].decode("utf-8", "replace"))
            return
        self._heard[said.who] = self._passed(), said

    def _tell(self, reason: str, said: str) -> None:
        if reason not in self._unreadable and len(self._unreadable) < MOST_LOGGED:
            self._unreadable.add(reason)
            log.error("strain.unreadable", reason=reason, said=said)

    def incidents(self) -> list[Incident]:
        """An incident while any of them says that the store is slow or takes none."""
        lately = self._passed() - HEARD_SECONDS
        self._heard = {who: heard for who, heard in self._heard.items() if heard[0] > lately}
        said = [one for _, one in self._heard.values()]
        if not said:
            return []
        refused, slow, waiting = (sum(getattr(one, of) for one in said) for of in ("refused", "slow", "waiting"))
        detail = (
            f"按键未能及时存下：{refused} 次未存（网页已请对方打电话，按钮会重发），{slow} 次缓慢，{waiting} 次正在等"
            f" / presses not stored in time: {refused} refused (pages say to telephone, buttons send again), "
            f"{slow} slow, {waiting} waiting"
        )
        return [Incident(kind="intake", what="store", since=min(one.since for one in said), detail=detail)]
