"""A household and who of it has to do with its case: its device, and a group member who lives there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp.test_utils import TestClient

from dispatch.cases import Case
from dispatch.identifiers import HouseholdId, PersonId

Client = TestClient[Any, Any]
HOME, PIN, DURESS = HouseholdId("h-1"), "4711", "0815"
HIM = PersonId("p-2")


async def ask(
    client: Client, who: Mapping[str, str], method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    async with client.request(method, path, json=body, headers={**who, **headers}) as answer:
        return answer.status, await answer.json()


async def give_pins(client: Client, operator: dict[str, str], pin: str = PIN, duress: str | None = DURESS) -> None:
    body = {"pin": pin, "duress_pin": duress}
    status, told = await ask(client, operator, "POST", f"/v1/households/{HOME}/pin", body)
    assert (status, told) == (200, {"household": HOME, "pin": True, "duress_pin": duress is not None})


async def cancel(client: Client, who: Mapping[str, str], case: Case, **body: str) -> tuple[int, Any]:
    return await ask(client, who, "POST", f"/v1/cases/{case.id}/cancel", body)
