"""Somebody who types commands, on a site where one home has called for help: on a real log and a real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client

from dispatch.events import CaseLog, connect, ensure_streams
from dispatch.identifiers import AreaId, CaseId, HouseholdId, PersonId
from dispatch.roster import Area, Household, Person, Roster
from dispatch.settings import Settings
from tests.commands import dispatch, environment_of
from tests.projection_stories import answered, recorded, tell

Result = tuple[int, str, str]


class Terminal:
    """Somebody who gives commands, on a site where Li's house has called for help."""

    def __init__(self, settings: Settings, nc: Client, case: CaseId) -> None:
        self.nc, self.case, self._settings = nc, case, settings

    async def run(self, *arguments: str, postgres: str | None = None, columns: int = 200) -> Result:
        environment = environment_of(self._settings, columns=columns)
        if postgres is not None:
            environment["DISPATCH_POSTGRES_DSN"] = postgres
        return await dispatch(*arguments, env=environment)

    async def json(self, *arguments: str) -> Any:
        code, out, err = await self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
async def terminal(settings: Settings) -> AsyncIterator[Terminal]:
    nc = await connect(settings.require_nats(), "test")
    await ensure_streams(nc.jetstream())
    roster = Roster(nc, settings.site)
    await roster.put(Area(id=AreaId("village"), name="茅州村", kind="village"), by="test")
    await roster.put(Area(id=AreaId("hamlet"), name="散花村", kind="village"), by="test")
    await roster.put(
        Household(id=HouseholdId("h-1"), name="李家", address="一组1号", area=AreaId("village"), note="院内有狗"),
        by="test",
    )
    await roster.put(Person(id=PersonId("p-1"), name="王芳", phone="+8613800000001"), by="test")
    case = await tell(
        CaseLog(nc, settings.site),
        "h-1",
        recorded("r", 1, ("p-1", "live", "delivered")),
        answered("p-1", "going", 4, 5),
    )
    yield Terminal(settings, nc, case)
    await nc.close()


async def lines(terminal: Terminal, *arguments: str) -> list[Any]:
    code, out, err = await terminal.run(*arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]
