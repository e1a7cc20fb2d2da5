"""A whole running system with its demo people, on the session's servers; for stories and for the browser."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from dispatch.access import Links, load_keys
from dispatch.cases import Case, CaseDesk
from dispatch.clock import now
from dispatch.events import CaseLog
from dispatch.identifiers import CaseId, HouseholdId, PersonId
from dispatch.roster import WebhookPoint, call_list, demo
from tests.commands import dispatch, environment_of
from tests.receivers import Receiver, receiving
from tests.servers import Servers
from tests.system import System
from tests.the_clock import TheClock, file_in
from tests.village import SECRET
from tests.waiting import until


@dataclass
class LiveSystem:
    """A system and who is in it. `link` gives sign-in links, as `dispatch up` prints them."""

    system: System
    cast: demo.DemoCast
    tokens: Mapping[str, str]

    @property
    def clock(self) -> TheClock:
        """Its clock, which can be moved where it was started with `movable`."""
        return TheClock(self.system)

    @property
    def url(self) -> str:
        return self.system.url

    @property
    def household(self) -> HouseholdId:
        return self.cast.household

    def link(self, who: str) -> str:
        """The sign-in link of `resident`, `neighbour`, `leader`, `auxiliary`, `police` or `operator`."""
        return f"{self.url}/in#{self.tokens[who]}"

    def subject(self, who: str) -> str:
        return _members(self.cast)[who].subject

    async def press(self, *, key: str | None = None, **body: object) -> CaseId:
        """Press over HTTP; must be accepted. Returns the household's newest case once the fan-out has it."""
        status, _ = await self.call("resident", "POST", "/v1/alarms", body, key=key or secrets.token_hex(8))
        assert status == 202
        return await self.open_case()

    async def call(
        self,
        who: str,
        method: str,
        path: str,
        body: Mapping[str, object] | list[str] | None = None,
        *,
        key: str | None = None,
    ) -> tuple[int, dict[str, object]]:
        """One request with the bearer token of `who`; status and document."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self.system.http.request(method, path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def types(self, *arguments: object) -> tuple[int, str, str]:
        """`dispatch …` on the system's own machine, by its clock; exit code, output and errors."""
        clock = {"DISPATCH_MOVED_CLOCK": str(file_in(self.system.folder))}
        return await dispatch(*arguments, env=environment_of(self.system.settings) | clock)

    async def board(self) -> dict[str, Any]:
        """What the operator's screen shows when it is opened: the snapshot of the live stream."""
        headers = {"Authorization": f"Bearer {self.tokens['operator']}"}
        async with self.system.http.get("/v1/live", headers=headers) as stream:
            assert stream.status == 200, await stream.text()
            event = b""
            async for line in stream.content:
                name, _, value = line.partition(b":")
                event = value.strip() if name == b"event" else event
                if (name, event) == (b"data", b"snapshot"):
                    return cast("dict[str, Any]", json.loads(value))
        raise AssertionError("the live stream ended without a snapshot")

    @property
    def log(self) -> CaseLog:
        return CaseLog(self.system.nc, self.system.settings.site)

    async def press_at(self, household: HouseholdId) -> CaseId:
        """Press for any household, as the operator may; the case that this opens."""
        status, _ = await self.call(
            "operator", "POST", "/v1/alarms", {"household": household}, key=secrets.token_hex(8)
        )
        assert status == 202
        return await self.open_case(household)

    async def open_case(self, household: HouseholdId | None = None) -> CaseId:
        """The open case of the household, or of another, waited for."""

        async def found() -> CaseId | None:
            head = await self.log.head(household or self.household)
            return head.case if head and (await self.case(head.case)).is_open else None

        return await until(found, "a case to open")

    async def case(self, case: CaseId) -> Case:
        return await CaseDesk(self.log).load(case)

    async def finished(self, case: CaseId, *, seconds: float = 30) -> Case:
        """The case once every call of it has an outcome that is known."""

        async def done() -> Case | None:
            loaded = await self.case(case)
            return loaded if loaded.calls and not loaded.owed() else None

        return await until(done, "every call to have an outcome", seconds=seconds)

    async def close(self, case: CaseId) -> None:
        """Resolve the case as the operator does, so that the next test begins with none."""
        await self.call("operator", "POST", f"/v1/cases/{case}/resolve", {"resolution": "other"})

    async def one_tap(self, case: CaseId, responder: str) -> str:
        """The path of the signed link that `responder` got for `case`."""
        keys = await load_keys(self.system.nc, self.system.settings.site)
        link = Links(keys.link_secret, self.url).make(case, PersonId(responder))
        return link.removeprefix(self.url)


def _members(cast: demo.DemoCast) -> dict[str, demo.CastMember]:
    return {
        "resident": cast.resident,
        "neighbour": cast.neighbour,
        "leader": cast.leader,
        "auxiliary": cast.auxiliary_officer,
        "police": cast.community_police_officer,
        "operator": cast.operator,
    }


@asynccontextmanager
async def live(
    folder: Path, environment: Mapping[str, str] | None = None, *, movable: bool = False
) -> AsyncIterator[LiveSystem]:
    """`dispatch up --demo` on `folder`, ready, with a token for each of the cast; where `movable`, its clock is."""
    clock = {"DISPATCH_MOVED_CLOCK": str(file_in(folder))} if movable else {}
    async with System(folder, environment={**(environment or {}), **clock}) as system:
        cast = demo.demo_cast()
        tokens = {
            name: await system.token(member.role, member.subject, member.area)
            for name, member in _members(cast).items()
        }
        yield LiveSystem(system, cast, tokens)


def on_servers(servers: Servers, postgres_dsn: str) -> dict[str, str]:
    """Settings that put a system on the session's servers, as a site of its own."""
    settings = {
        "DISPATCH_SITE": f"t{secrets.token_hex(5)}",
        "DISPATCH_NATS_URL": servers.nats_url,
        "DISPATCH_POSTGRES_DSN": postgres_dsn,
    }
    if servers.mqtt_port is not None:
        settings["DISPATCH_MQTT_PORT"] = str(servers.mqtt_port)
    if servers.auth_callout_seed is not None:
        settings["DISPATCH_AUTH_CALLOUT_SEED"] = servers.auth_callout_seed
    return settings


@dataclass
class Phones:
    """The phones of everybody who is called for the demo household: a webhook receiver each."""

    of: dict[PersonId, Receiver]

    def rings(self, person: str) -> list[dict[str, object]]:
        """Each time that `person`'s phone was called, oldest first."""
        return [said for said in self.said(person) if said["word"] == "called"]

    def rung(self) -> dict[PersonId, int]:
        """How often each phone rang."""
        return {person: len(self.rings(person)) for person in self.of}

    def said(self, person: str) -> list[dict[str, object]]:
        """Every message to `person`'s phone, oldest first."""
        return [json.loads(request.body)["data"] for request in self.of[PersonId(person)].requests]


@asynccontextmanager
async def phones_of(live: LiveSystem) -> AsyncIterator[Phones]:
    """Give each of the thirteen who are called for the demo household a phone, and take it away afterwards."""
    called = (await call_list(live.system.roster, live.household, now())).called
    known = await live.system.roster.people([entry.person.id for entry in called])
    async with AsyncExitStack() as stack:
        phones = Phones({})
        for person in known.values():
            receiver = phones.of[person.id] = await stack.enter_async_context(receiving())
            point = WebhookPoint(url=receiver.url, secret=SECRET)
            await live.system.roster.put(replace(person, contact_points=(point,)), by="test")
        yield phones
