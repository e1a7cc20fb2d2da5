"""Who lives there: households in groups, with officers; residents press, responders answer, an operator closes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp

from dispatch.access.tokens import Issued
from dispatch.cases import Case, CaseDesk, enough
from dispatch.errors import Unavailable
from dispatch.events import PolicyStep, Quorum
from dispatch.identifiers import AreaId, CaseId, GroupId, HouseholdId, PersonId, PostId
from dispatch.roster import Area, Document, Duty, EscalationPolicy, Group, Household, Person, Post, WebhookPoint
from tests.faults.rampage.phones import CountyPhones
from tests.faults.rampage.stage import Stage
from tests.village import SECRET

HOUSEHOLDS, MEMBERS = 12, 4
OFFICERS = ("auxiliary_officer", "community_police_officer")
VILLAGE = AreaId("v-1")
ANSWER_SHARE = 0.35
"""Of those who ring, how many answer: so that some cases widen and some have enough."""
STEP_SECONDS = 3
PRESS_PAUSE, ANSWER_PAUSE, CLOSE_PAUSE = 0.4, 0.15, 0.2
PRESSES_ON_ONE_CASE = 10
"""Of many more on one case the system keeps but some (`dispatch.cases.decisions`)."""
REQUEST = aiohttp.ClientTimeout(total=5)


@dataclass
class Pressed:
    """The presses that were answered with 202: when, and by which household."""

    accepted: dict[str, HouseholdId] = field(default_factory=dict)
    refused: int = 0


async def settle(stage: Stage, phones: CountyPhones) -> Sequence[HouseholdId]:
    """Put the county in the roster. Returns its households."""
    policy = EscalationPolicy(
        name="rampage",
        quorum=Quorum(anyone=2),
        steps=(
            PolicyStep(call=("group", "officers"), within_seconds=STEP_SECONDS),
            PolicyStep(call=("again",), within_seconds=STEP_SECONDS),
            PolicyStep(call=("again",), within_seconds=60),
        ),
    )
    documents: list[Document] = [Area(id=VILLAGE, name="茅州村", kind="village", policies=(policy,))]
    for role in OFFICERS:
        documents.append(_person(role, phones))
        documents.append(
            Post(id=PostId(role), area=VILLAGE, role=role, name=role, duty=(Duty(person=PersonId(role)),))  # type: ignore[arg-type]
        )
    households = [HouseholdId(f"h-{number}") for number in range(HOUSEHOLDS)]
    for household in households:
        members = [_person(f"{household}-m{number}", phones) for number in range(MEMBERS)]
        group = Group(id=GroupId(f"g-{household}"), name="组", area=VILLAGE, members=tuple(m.id for m in members))
        documents += [*members, group, Household(id=household, name="户", address="1 号", area=VILLAGE, group=group.id)]
    await asyncio.gather(*(stage.roster.put(document, by="rampage") for document in documents))
    return households


def _person(name: str, phones: CountyPhones) -> Person:
    point = WebhookPoint(url=f"{phones.url}/{name}", secret=SECRET)
    return Person(id=PersonId(name), name=name, contact_points=(point,))


class Life:
    """What goes on in the county until `calm`."""

    def __init__(self, stage: Stage, phones: CountyPhones, households: Sequence[HouseholdId], seed: int) -> None:
        self._stage, self._phones, self._households = stage, phones, households
        self._chance = random.Random(seed)
        self._desk = CaseDesk(stage.log)
        self.pressed = Pressed()
        self._calm = asyncio.Event()

    async def go_on(self) -> None:
        """Press, answer and close until `calm` is called; a press under way is repeated until it is accepted."""
        keys = {home: await self._stage.tokens.issue("device", home, label="rampage") for home in self._households}
        operator = await self._stage.tokens.issue("operator", "wang", label="rampage")
        async with asyncio.TaskGroup() as group:
            for home, key in keys.items():
                group.create_task(self._resident(home, key))
            for _ in range(2):
                group.create_task(self._responders())
            group.create_task(self._operator(operator))

    def calm(self) -> None:
        """No more presses."""
        self._calm.set()

    async def _resident(self, home: HouseholdId, key: Issued) -> None:
        number = 0
        while not self._calm.is_set():
            await self._pause(PRESS_PAUSE * HOUSEHOLDS)
            case = await self._newest(home)
            if not case.is_open or len(case.presses) < PRESSES_ON_ONE_CASE:
                number += 1
                await self._press(home, key, f"{home}-{number}")

    async def _press(self, home: HouseholdId, key: Issued, press: str) -> None:
        headers = {"Authorization": f"Bearer {key.secret}", "Idempotency-Key": press}
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._stage.http.post(
                    "/v1/alarms", json={"kind": "fire"}, headers=headers, timeout=REQUEST
                ) as answer:
                    if answer.status == 202:
                        self.pressed.accepted[(await answer.json())["press"]] = home
                        return
            self.pressed.refused += 1
            if self._calm.is_set():
                return
            await asyncio.sleep(0.3)

    async def _responders(self) -> None:
        while not self._calm.is_set():
            await self._pause(ANSWER_PAUSE)
            if not self._phones.links:
                continue
            link = self._phones.links.popleft()
            if self._chance.random() > ANSWER_SHARE:
                continue
            answer = self._chance.choice(["going", "going", "on_scene", "cannot"])
            with suppress(aiohttp.ClientError, TimeoutError):
                path = link[link.index("/r/") :]
                async with self._stage.http.post(path, json={"answer": answer}, timeout=REQUEST):
                    pass

    async def _operator(self, operator: Issued) -> None:
        headers = {"Authorization": f"Bearer {operator.secret}"}
        while not self._calm.is_set():
            await self._pause(CLOSE_PAUSE)
            case = await self._closable()
            if case is not None:
                with suppress(aiohttp.ClientError, TimeoutError):
                    path, body = f"/v1/cases/{case.id}/resolve", {"resolution": "helped"}
                    async with self._stage.http.post(path, json=body, headers=headers, timeout=REQUEST):
                        pass

    async def _closable(self) -> Case | None:
        """A case with enough help, or one that has waited for long."""
        for home in self._chance.sample(self._households, len(self._households)):
            case = await self._newest(home)
            if case.is_open and (enough(case) or case.position >= 1 + self._chance.randrange(2)):
                return case
        return None

    async def _newest(self, home: HouseholdId) -> Case:
        """The household's newest case; none while the log is away."""
        with suppress(Unavailable):
            head = await self._stage.log.head(home)
            return await self._desk.load(head.case) if head else Case()
        return Case()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._calm.wait(), self._chance.uniform(0.2, 1.8) * seconds)


async def cases_of(stage: Stage, home: HouseholdId) -> list[Case]:
    """Every case that the household ever had, from the log."""
    desk = CaseDesk(stage.log)
    ids = await stage.log.cases_since(home, datetime.fromtimestamp(0, UTC))
    return [await desk.load(case) for case in ids]


async def board_of(stage: Stage) -> dict[CaseId, tuple[str, int]]:
    """What the board in Postgres says of each case: its status and presses. Raises `ClientError` while it is away."""
    operator = await stage.tokens.issue("operator", "auditor", label="rampage")
    headers = {"Authorization": f"Bearer {operator.secret}"}
    board: dict[CaseId, tuple[str, int]] = {}
    query = {"status": "all", "limit": "200"}
    while True:
        async with stage.http.get("/v1/cases", params=query, headers=headers, timeout=REQUEST) as answer:
            answer.raise_for_status()
            page = await answer.json()
        board |= {row["case_id"]: (row["status"], row["presses"]) for row in page["cases"]}
        if page["next"] is None:
            return board
        query["before"] = page["next"]
