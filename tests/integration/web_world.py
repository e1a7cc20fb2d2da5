"""A web process as tests use it: the real application on a real NATS, with a small village behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from secrets import token_hex
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer
from nats.aio.client import Client

from dispatch.access import Links, Tokens, load_keys
from dispatch.app import dlq_desk
from dispatch.cases import Case, CaseDesk, Command, Plan, RaiseAlarm
from dispatch.clock import now
from dispatch.drills import DrillBook
from dispatch.events import CaseLog, Channel, PlannedCall, Press, Reason, RespondersCalled, connect, ensure_streams
from dispatch.identifiers import (
    AreaId,
    CaseId,
    CommitId,
    GroupId,
    HouseholdId,
    PersonId,
    PressId,
    short_hash,
)
from dispatch.intake import IntakeDesk
from dispatch.projections import ReadModels as ProjectedReadModels
from dispatch.roster import Area, Document, Group, Household, Person, Roster
from dispatch.settings import Settings
from dispatch.web import ReadModels, WebDeps, make_web_app
from tests import waiting
from tests.servers import Servers

AREAS = (AreaId("v-1"), AreaId("t-1"))
SECONDS = 5.0


class World:
    """`client` speaks to the application; `tokens_of` has a token for each role and subject that `sign_in` made."""

    def __init__(self, nc: Client, settings: Settings, read_models: ReadModels) -> None:
        self.nc, self.settings, self.site = nc, settings, settings.site
        self.log = CaseLog(nc, settings.site)
        self.desk = CaseDesk(CaseLog(nc, settings.site))
        self.roster, self.tokens = Roster(nc, settings.site), Tokens(nc, settings.site)
        self.read_models = read_models
        self._secrets: dict[tuple[str, str, str | None], str] = {}
        self._presses = 0

    async def begin(self) -> None:
        await ensure_streams(self.nc.jetstream())
        self.keys = await load_keys(self.nc, self.site)
        self.links = Links(self.keys.link_secret, self.settings.url)
        documents: tuple[Document, ...] = (
            Area(id=AreaId("t-1"), name="茅州镇", kind="township"),
            Area(id=AreaId("v-1"), name="茅州村", kind="village", parent=AreaId("t-1")),
            Area(id=AreaId("v-2"), name="别村", kind="village", parent=AreaId("t-1")),
            Group(id=GroupId("g-1"), name="一组", area=AreaId("v-1"), members=(PersonId("p-1"), PersonId("p-2"))),
            Household(
                id=HouseholdId("h-1"),
                name="李家",
                address="1 号",
                area=AreaId("v-1"),
                group=GroupId("g-1"),
                phone="+8613900000001",
                note="一位老人",
            ),
            *(Person(id=PersonId(f"p-{n}"), name=f"人{n}", phone=f"+861380000000{n}") for n in (1, 2, 3)),
        )
        for document in documents:
            await self.roster.put(document, by="test")

    def deps(self) -> WebDeps:
        return WebDeps(
            settings=self.settings,
            nc=self.nc,
            desk=CaseDesk(CaseLog(self.nc, self.site)),
            log=self.log,
            roster=self.roster,
            tokens=self.tokens,
            keys=self.keys,
            links=self.links,
            accept=IntakeDesk(self.nc, self.site).accept,
            read_models=self.read_models,
            dlq=dlq_desk(self.nc, self.settings),
            drills=DrillBook(self.nc, self.site),
        )

    @contextlib.asynccontextmanager
    async def served(self, **changed: Any) -> AsyncIterator[TestClient[Any, Any]]:
        """The application, running, with what is `changed` of its parts; cookies are kept as a browser keeps them."""
        jar = aiohttp.CookieJar(unsafe=True)
        deps = replace(self.deps(), **changed)
        async with TestClient(TestServer(make_web_app(deps)), cookie_jar=jar) as client:
            yield client

    async def token(self, role: Any, subject: str, area: str | None = None) -> str:
        key = (role, subject, area)
        if key not in self._secrets:
            issued = await self.tokens.issue(role, subject, area=AreaId(area) if area else None)
            self._secrets[key] = issued.secret
        return self._secrets[key]

    async def bearer(self, role: str, subject: str, area: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.token(role, subject, area)}"}

    async def open_case(
        self,
        household: str = "h-1",
        *,
        called: tuple[str, ...] = ("p-1", "p-2"),
        areas: tuple[AreaId, ...] = AREAS,
        silent: bool = False,
        drill: bool = False,
        residents: tuple[PersonId, ...] = (),
    ) -> Case:
        """A case that the fan-out has opened, for a household that had none open."""
        self._presses += 1
        at = now()
        press = Press(
            press=PressId(f"press-{self._presses}"),
            household=HouseholdId(household),
            device="d",
            source="http",
            pressed_at=at,
            silent=silent,
            drill=drill,
        )
        calls = tuple(
            PlannedCall(
                responder=PersonId(one), reasons=(Reason(role="member", of="g-1"),), channels=("live", "webpush")
            )
            for one in called
        )

        async def plan(_press: Press) -> Plan:
            return Plan(group=GroupId("g-1"), areas=areas, calls=calls, residents=residents)

        command = RaiseAlarm(id=CommitId(f"raise-{self._presses}"), at=at, press=press, accepted_at=at)
        return (await self.desk.press(command, plan)).case

    async def do(self, case: CaseId, command: Callable[..., Command], **values: Any) -> Case:
        """Carry `command` out as another process would."""
        self._presses += 1
        at = now() + timedelta(microseconds=self._presses)
        identity = CommitId(short_hash("do", str(self._presses), length=12))
        return (await self.desk.handle(case, command(id=identity, at=at, **values))).case

    async def widen(self, case_id: CaseId, *people: str, channels: tuple[Channel, ...] = ("live", "webpush")) -> None:
        """Call more people, as a later step does."""
        case = await self.desk.load(case_id)
        step = 1 + max(step for step, _ in case.calls)
        calls = tuple(
            PlannedCall(responder=PersonId(one), reasons=(Reason(role="member", of="g-1"),), channels=channels)
            for one in people
        )
        at = now()
        called = RespondersCalled(at=at, step=step, calls=calls)
        await self.log.append(case_id, [called], commit=CommitId(f"widen-{step}"), at=at, after=case.seq)


def settings_of(servers: Servers) -> Settings:
    """Settings with a site of their own; push endpoints must be public."""
    return Settings(site=f"t{token_hex(5)}", nats_url=servers.nats_url, postgres_dsn=servers.postgres_dsn, port=0)


@contextlib.asynccontextmanager
async def village_of(settings: Settings, dsn: str) -> AsyncIterator[World]:
    """A world whose read models are real."""
    read_models = ProjectedReadModels(dsn, settings.site)
    async with world(settings, read_models) as made:
        yield made
    await read_models.close()


@contextlib.asynccontextmanager
async def world(settings: Settings, read_models: ReadModels) -> AsyncIterator[World]:
    nc = await connect(settings.require_nats(), "test-web")
    try:
        made = World(nc, settings, read_models)
        await made.begin()
        yield made
    finally:
        await nc.close()


class Event(dict[str, Any]):
    """One server-sent event: its data, and under `name` and `position` what it is and where it stands."""

    name: str
    position: int | None


class Page:
    """An open page: reads its live stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.seen: list[Event] = []

    async def next(self, *names: str, seconds: float = SECONDS) -> Event:
        """The next event of one of `names` (any but `beat` when none is given)."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self._read()
                if event.name in names or (not names and event.name != "beat"):
                    return event

    async def case(self, wanted: Callable[[Mapping[str, Any]], bool]) -> Event:
        """The next `case` that is as `wanted`."""
        while True:
            event = await self.next("case")
            if wanted(event):
                return event

    async def is_over(self, seconds: float = SECONDS) -> bool:
        """Wait for the end of the stream."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(EOFError, aiohttp.ClientError):
                while True:
                    await self._read()
        return True

    async def _read(self) -> Event:
        fields: dict[str, str] = {}
        while line := (await self._line()).rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        event = Event(_object(json.loads(fields.get("data", "{}"))))
        event.name = fields.get("event", "retry")
        event.position = int(fields["id"]) if "id" in fields else None
        self.seen.append(event)
        return event if event.name != "retry" else await self._read()

    async def _line(self) -> str:
        line = await self.response.content.readline()
        if not line:
            raise EOFError("the stream is over")
        return line.decode()


def _object(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {"list": data}


@contextlib.asynccontextmanager
async def page(
    client: TestClient[Any, Any], headers: Mapping[str, str], *, last: int | None = None, query: str = ""
) -> AsyncIterator[Page]:
    """An open live stream of whoever `headers` sign in."""
    more = {"Last-Event-ID": str(last)} if last is not None else {}
    async with client.get(f"/v1/live{query}", headers={**headers, **more}, read_bufsize=2**24) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Page(response)


async def until(condition: Callable[[], bool], what: str) -> None:
    """As in every test, but with the patience of these."""
    await waiting.until(condition, what, seconds=SECONDS)
