"""A village whose web process runs, and who is signed in there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from argon2 import PasswordHasher

from dispatch.cases import Case
from dispatch.roster import pins
from tests.conftest import database
from tests.integration.web.at_home import HIM, HOME
from tests.integration.web_world import World, settings_of, village_of
from tests.servers import Servers


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PINs are hashed by the same code at the least cost; the real cost is in `unit/test_pins.py`."""
    monkeypatch.setattr(pins, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    pins._nobodys.cache_clear()
    yield
    pins._nobodys.cache_clear()


@pytest.fixture(scope="module")
async def dsn(servers: Servers, migrated_template: str) -> AsyncIterator[str]:
    async with database(servers, migrated_template) as made:
        yield made


@pytest.fixture
async def village(servers: Servers, dsn: str) -> AsyncIterator[World]:
    async with village_of(settings_of(servers), dsn) as made:
        yield made


@pytest.fixture
async def client(village: World) -> AsyncIterator[TestClient[Any, Any]]:
    async with village.served() as served:
        yield served


@pytest.fixture
async def case(village: World) -> Case:
    return await village.open_case()


@pytest.fixture
async def operator(village: World) -> dict[str, str]:
    return await village.bearer("operator", "wang")


@pytest.fixture
async def phone(village: World) -> dict[str, str]:
    return await village.bearer("responder", "p-1")


@pytest.fixture
async def device(village: World) -> dict[str, str]:
    return await village.bearer("device", HOME)


@pytest.fixture
async def him(village: World) -> dict[str, str]:
    return await village.bearer("responder", HIM)
