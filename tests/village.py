"""A household, its group and officers in the roster, each reached over a receiver on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar
from uuid import uuid4

from nats.aio.client import Client

from dispatch.cases import Case, CaseDesk, Plan, RaiseAlarm
from dispatch.clock import now
from dispatch.events import TIMERS, CaseLog, Press, encode_press
from dispatch.fanout.plan import plan_of
from dispatch.identifiers import AreaId, CaseId, CommitId, GroupId, HouseholdId, PersonId, PressId, Site, case_id_for
from dispatch.roster import Area, ContactPoint, Document, Group, Household, Person, Roster, WebhookPoint, call_list
from tests.receivers import Receiver, receiving
from tests.waiting import until

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
HOUSEHOLD = HouseholdId("h-1")
T = TypeVar("T")


class Village:
    """One site with one household; `case_of` and `outcomes` read the log as anybody may."""

    def __init__(self, nc: Client, site: str) -> None:
        self.nc, self.site = nc, Site(site)
        self.roster = Roster(nc, site)
        self.log = CaseLog(nc, site)
        self.receivers: list[Receiver] = []

    async def settle(self, points: Sequence[tuple[ContactPoint, ...]]) -> None:
        """Put a household and a group in the roster, with one person `p-<n>` for each of `points`."""
        people = [Person(id=PersonId(f"p-{n}"), name=f"组员{n}", contact_points=of) for n, of in enumerate(points)]
        area, group = AreaId("a-1"), GroupId("g-1")
        documents: tuple[Document, ...] = (
            Area(id=area, name="茅州村", kind="village"),
            Group(id=group, name="一组", area=area, members=tuple(person.id for person in people)),
            Household(id=HOUSEHOLD, name="李家", address="12 号", area=area, group=group),
            *people,
        )
        await asyncio.gather(*(self.roster.put(document, by="test") for document in documents))

    async def press(self, *, drill: bool = False, household: HouseholdId = HOUSEHOLD) -> CaseId:
        """Press the key; returns the case that this press raises if it raises one."""
        at = now()
        press = Press(
            press=PressId(uuid4().hex), household=household, device="d", source="http", pressed_at=at, drill=drill
        )
        subject, headers, body = encode_press(press, self.site)
        await self.nc.jetstream().publish(subject, body, headers=headers)
        return case_id_for(household, press.press)

    async def plan(self, press: Press) -> Plan:
        """The plan for a press, as the fan-out makes it."""
        return plan_of(await call_list(self.roster, press.household, now()))

    async def case(self, case: CaseId) -> Case:
        return await CaseDesk(self.log).load(case)

    async def case_where(self, case: CaseId, condition: Callable[[Case], bool], what: str) -> Case:
        """The case as soon as `condition` is true of it."""

        async def found() -> Case | None:
            loaded = await self.case(case)
            return loaded if condition(loaded) else None

        return await until(found, what)

    async def finished(self, case: CaseId) -> Case:
        """The case when every call of it has an outcome that is known."""
        return await self.case_where(case, lambda c: bool(c.calls) and not c.owed(), "every call to have an outcome")

    async def lose_timer(self, case: CaseId) -> None:
        """Take the case's timer away once it is set."""
        stream, timer = self.nc.jetstream(), f"timers.{self.site}.{case}"

        async def is_set() -> bool:
            return timer in ((await stream.stream_info(TIMERS, subjects_filter=timer)).state.subjects or {})

        await until(is_set, "the timer")
        await stream.purge_stream(TIMERS, subject=timer)

    async def timers_heeded(self) -> None:
        """Wait until the fan-out has done with every timer that rang."""

        async def heeded() -> bool:
            info = await self.nc.jetstream().consumer_info(TIMERS, f"due-{self.site}")
            return info.delivered is not None and info.num_ack_pending == 0 and info.num_pending == 0

        await until(heeded, "the timers to be heeded")

    def rings(self) -> list[list[str]]:
        """For each receiver, the notification ids that it got."""
        return [[json.loads(r.body)["data"]["notification"] for r in x.requests] for x in self.receivers]


async def opened(village: Village, household: HouseholdId = HOUSEHOLD) -> CaseId:
    """A case with three calls owed, put on the log by nobody who will ever make them."""
    at = now()
    press = Press(press=PressId(uuid4().hex), household=household, device="d", source="http", pressed_at=at)
    command = RaiseAlarm(id=CommitId(f"press-{press.press}"), at=at, accepted_at=at, press=press)
    return (await CaseDesk(village.log).press(command, village.plan)).case.id


def outcomes(case: Case) -> dict[tuple[str, str], tuple[str, str | None, int]]:
    """Outcome, reason and attempt by person and channel."""
    return {
        (call.responder, channel): (known.outcome, known.reason, known.attempt)
        for call in case.calls.values()
        for channel, known in call.outcomes.items()
    }


@asynccontextmanager
async def village_of(nc: Client, site: str, people: int) -> AsyncIterator[Village]:
    """A village of `people`, each with a webhook on a receiver of their own."""
    async with AsyncExitStack() as stack:
        village = Village(nc, site)
        village.receivers = [await stack.enter_async_context(receiving()) for _ in range(people)]
        await village.settle([(WebhookPoint(url=r.url, secret=SECRET),) for r in village.receivers])
        yield village
