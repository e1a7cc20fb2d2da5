"""A site whose log can be told cases, its reports, and what they had counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from dispatch.projections import remembered
from dispatch.projections.reader import Reader
from dispatch.settings import Settings
from tests.integration.reports.office import Office, opened


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with opened(settings.require_nats(), settings.require_postgres(), settings.site) as office:
        yield office


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was counted, and not remembered: the queries that Postgres was asked, but for the state of its months."""
    found: list[str] = []
    # What is remembered is seen by what is not asked.
    for name in ("_fetch", "_values"):
        monkeypatch.setattr(Reader, name, _noting(found, getattr(Reader, name)))
    return found


def _noting(found: list[str], ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(reader: Reader, place: Any, query: str, *arguments: Any) -> Any:
        found.extend([query] * (query != remembered.queries.state))
        return await ask(reader, place, query, *arguments)

    return noted
