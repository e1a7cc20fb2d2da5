"""What a `serve` says of the pages that are open there, on a connection that can fail."""

from __future__ import annotations

from typing import Any, cast

import pytest
from nats.errors import FlushTimeoutError

from dispatch.errors import Unavailable
from dispatch.events import OpenPages, decode_open_pages
from dispatch.identifiers import PersonId
from dispatch.web import rings
from dispatch.web.rings import Rings
from tests.waiting import until

ANNA = PersonId("p-1")


class Connection:
    """One that keeps what is said and who is subscribed; and a board without pages."""

    def __init__(self) -> None:
        self.said: list[OpenPages] = []
        self.subscribed: list[str] = []
        self.is_away = False
        self.rings = Rings(cast("Any", self), "s", cast("Any", self))

    async def subscribe(self, subject: str, *, cb: object) -> Any:  # noqa: ARG002 - as nats-py has it
        self.subscribed.append(subject)
        return self

    async def unsubscribe(self) -> None:
        self.subscribed.pop()

    async def publish(self, _subject: str, data: bytes) -> None:
        self.said.append(decode_open_pages(data))

    async def flush(self) -> None:
        if self.is_away:
            raise FlushTimeoutError
        heard = len(self.said)
        await until(lambda: len(self.said) >= heard + 2, "all of it to be said meanwhile", every=0)

    def pages_of(self, _role: str, _subject: str) -> list[object]:
        return []


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(rings, "SAID_EVERY_SECONDS", 0.0)
    return Connection()


async def test_whose_page_opens_stays_said_while_the_server_takes_its_time(connection: Connection) -> None:
    async with connection.rings, connection.rings.open_page(ANNA):
        opened = next(number for number, said in enumerate(connection.said) if said.more)
        assert {said.people for said in connection.said[opened:]} == {frozenset({ANNA})}


async def test_a_page_that_could_not_be_opened_is_asked_for_anew(connection: Connection) -> None:
    connection.is_away = True
    async with connection.rings:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await connection.rings.open_page(ANNA).__aenter__()
            assert connection.subscribed == []
        connection.is_away = False
        async with connection.rings.open_page(ANNA):
            assert connection.subscribed == ["live.s.ring.p-1"]
        assert connection.subscribed == []
