"""Many stored messages in one answer of a real nats-server: whole, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from dispatch.embedded import EmbeddedNats
from dispatch.errors import Unavailable
from dispatch.events import connect, direct_get
from dispatch.events.inbox import Heard, Inbox

pytestmark = pytest.mark.embedded

STREAM = "NUMBERS"
REQUESTS: dict[str, dict[str, object]] = {
    "the next ones": {"seq": 1, "next_by_subj": "numbers.*", "batch": 100},
    "the last of each": {"multi_last": ["numbers.*"]},
}


@pytest.fixture
async def nc(fresh_nats: EmbeddedNats) -> AsyncIterator[Client]:
    """With five messages in a stream, the third deleted."""
    client = await connect(fresh_nats.url, "test")
    js = client.jetstream()
    await js.add_stream(StreamConfig(name=STREAM, subjects=["numbers.*"], allow_direct=True))
    for number in range(1, 6):
        await js.publish(f"numbers.{number}", str(number).encode())
    await js.delete_msg(STREAM, 3)
    yield client
    await client.close()


def lose(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each answer the message of this number (from 0) does not arrive."""
    listening = Inbox.listening

    def losing(inbox: Inbox, heard: Heard) -> AbstractContextManager[str]:
        came = iter(range(1_000))

        def some(message: Msg) -> None:
            if next(came) != number:
                heard(message)

        @contextmanager
        def listen() -> Iterator[str]:
            with listening(inbox, some) as reply:
                yield reply

        return listen()

    monkeypatch.setattr(Inbox, "listening", losing)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_a_whole_answer_is_taken_also_where_messages_were_deleted(
    nc: Client, request_: dict[str, object]
) -> None:
    assert [message.data for message in await direct_get(nc, STREAM, request_)] == [b"1", b"2", b"4", b"5"]
    assert [message.data for message in await direct_get(nc, STREAM, {**request_, "batch": 2})] == [b"1", b"2"]
    assert await direct_get(nc, STREAM, {"seq": 9, "next_by_subj": "numbers.*", "batch": 2}) == []


@pytest.mark.parametrize("number", range(4), ids=["the first", "the second", "the third", "the last"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_an_answer_with_a_hole_is_none(
    nc: Client, request_: dict[str, object], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is read without one of its commits is another case."""
    lose(number, monkeypatch)
    with pytest.raises(Unavailable, match="lost on the way"):
        await direct_get(nc, STREAM, request_)
