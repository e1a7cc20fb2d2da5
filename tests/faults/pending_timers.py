"""Everything is killed while timers are pending: each step that is due is taken once, and how late it is.

`python -m tests.faults.pending_timers --cases 1000` prints the account of the large run.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import structlog
import typer

from dispatch.cases import Case, CaseDesk
from dispatch.clock import now
from dispatch.events import TIMERS, Escalated, PolicyStep, Press, Quorum, encode_press
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, PressId, Site, case_id_for
from dispatch.roster import Area, Document, EscalationPolicy, Group, Household, Person, WebhookPoint
from tests.faults.rampage.phones import CountyPhones, county_phones
from tests.faults.rampage.stage import ROLES, SITE, Stage, stage
from tests.village import SECRET
from tests.waiting import until

VILLAGE = AreaId("v-1")
PRESSES_EACH_SECOND = 100
AWAY_SECONDS = 3.0
AT_ONCE = 100


@dataclass(frozen=True)
class Lateness:
    """Steps taken `once`, `never` and `twice`; how late, in seconds after they were due and all was back."""

    cases: int
    once: int
    never: int
    twice: int
    latest: float
    p50: float

    def __str__(self) -> str:
        return (
            f"cases={self.cases} once={self.once} never={self.never} twice={self.twice} "
            f"late_p50={self.p50:.2f}s late_max={self.latest:.2f}s"
        )


async def pending_timers(cases: int) -> Lateness:
    """Press for `cases` households, kill every process before the first step is due, and start them all again."""
    async with county_phones() as phones, stage() as running:
        homes = [HouseholdId(f"h-{number}") for number in range(cases)]
        within = 5 + 2 * cases // PRESSES_EACH_SECOND
        await _settle(running, phones, homes, within)
        ids = await _press(running, homes)
        desk = CaseDesk(running.log)
        await until(lambda: _pending(running, cases), "every timer to be set", seconds=60)
        await asyncio.gather(*(part.child.kill() for part in running.parts.values()))
        await asyncio.sleep(AWAY_SECONDS)
        for server in ("nats", "postgres"):
            await running.parts[server].start()
        await asyncio.gather(*(running.parts[role].start() for role in ROLES))
        await running.answering()
        back = now()
        await until(lambda: _all_taken(desk, ids), "every step to be taken", seconds=60 + within, every=1)
        return _lateness([await desk.load(case) for case in ids], back, await _steps(running, ids))


async def _settle(running: Stage, phones: CountyPhones, homes: Sequence[HouseholdId], within: int) -> None:
    steps = (
        PolicyStep(call=("group",), within_seconds=within),
        PolicyStep(call=("again",), within_seconds=3600),
    )
    policy = EscalationPolicy(name="pending", quorum=Quorum(anyone=1), steps=steps)
    person = Person(
        id=PersonId("p-1"), name="组员", contact_points=(WebhookPoint(url=f"{phones.url}/p-1", secret=SECRET),)
    )
    group = Group(id=GroupId("g-1"), name="组", area=VILLAGE, members=(person.id,))
    village = Area(id=VILLAGE, name="茅州村", kind="village", policies=(policy,))
    documents: list[Document] = [village, person, group]
    documents += [Household(id=home, name="户", address="1 号", area=VILLAGE, group=group.id) for home in homes]
    for start in range(0, len(documents), AT_ONCE):
        await asyncio.gather(*(running.roster.put(one, by="test") for one in documents[start : start + AT_ONCE]))


async def _press(running: Stage, homes: Sequence[HouseholdId]) -> list[CaseId]:
    ids = []
    for home in homes:
        press = Press(press=PressId(f"p-{home}"), household=home, device="d", source="http", pressed_at=now())
        subject, headers, body = encode_press(press, Site(SITE))
        await running.nc.jetstream().publish(subject, body, headers=headers)
        ids.append(case_id_for(home, press.press))
        await asyncio.sleep(1 / PRESSES_EACH_SECOND)  # so that the steps are due one after another
    return ids


async def _pending(running: Stage, cases: int) -> bool:
    info = await running.nc.jetstream().stream_info(TIMERS, subjects_filter=f"timers.{SITE}.*")
    return len(info.state.subjects or {}) >= cases


async def _all_taken(desk: CaseDesk, ids: Sequence[CaseId]) -> bool:
    return all([(await desk.load(case)).position >= 1 for case in ids])


async def _steps(running: Stage, ids: Sequence[CaseId]) -> dict[CaseId, list[datetime]]:
    return {
        case: [
            event.at
            for commit in await running.log.load(case)
            for event in commit.events
            if isinstance(event, Escalated)
        ]
        for case in ids
    }


def _lateness(cases: Sequence[Case], back: datetime, steps: dict[CaseId, list[datetime]]) -> Lateness:
    late = sorted(
        max(0.0, (taken[0] - max(_due(case), back)).total_seconds()) for case in cases if (taken := steps[case.id])
    )
    return Lateness(
        cases=len(cases),
        once=sum(len(taken) == 1 for taken in steps.values()),
        never=sum(not taken for taken in steps.values()),
        twice=sum(len(taken) > 1 for taken in steps.values()),
        latest=late[-1],
        p50=late[len(late) // 2],
    )


def _due(case: Case) -> datetime:
    assert case.policy is not None
    return min(call.called_at for call in case.calls.values()) + timedelta(seconds=case.policy.steps[0].within_seconds)


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many cases wait when everything is killed.")] = 1000,
) -> None:
    """Kill every process while timers are pending, start all again, and print how late each step was."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    result = asyncio.run(pending_timers(cases))
    print(result)  # noqa: T201
    sys.exit(0 if result.once == result.cases and result.latest <= 1 else 1)


if __name__ == "__main__":
    typer.run(main)
