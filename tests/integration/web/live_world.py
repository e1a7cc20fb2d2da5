"""A live board whose read models are away, or know what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp.test_utils import TestClient

from dispatch.errors import Unavailable
from dispatch.identifiers import CaseId
from dispatch.web.live import LiveBoard
from dispatch.web.parts import PARTS

Client = TestClient[Any, Any]


class Models:
    """Read models that are away, or know which cases are open."""

    def __init__(self) -> None:
        self.known: tuple[Sequence[CaseId], int] | None = None
        self.asked = 0

    async def open_cases(self) -> tuple[Sequence[CaseId], int]:
        self.asked += 1
        if self.known is None:
            raise Unavailable("Postgres is away")
        return self.known

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the live board must not need {name} of Postgres")


def board_of(client: Client) -> LiveBoard:
    board: LiveBoard = client.app[PARTS].board
    return board


def ids(cases: Sequence[Any]) -> set[str]:
    return {one["id"] for one in cases}
