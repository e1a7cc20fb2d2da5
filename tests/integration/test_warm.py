"""What an alarm reads stays in the memory of a real nats-server: counted is what the server reads from its files."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import psutil
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NoAnswer
from nats.js.api import StreamConfig, StreamState

from dispatch import app
from dispatch.embedded import EmbeddedNats
from dispatch.events import CASES, ROSTER, TOKENS, connect, ensure_streams, last_of_each, warm
from dispatch.events.warm import APART, MIB, keep, places_in
from dispatch.settings import Settings
from tests.waiting import until

FILE, FILES = 8 * MIB, 5
BUCKETS_FILE = 4 * MIB
BODY = 64 * 1024
MESSAGES = FILES * FILE // BODY
STREAM = "LARGE"


def _bytes_read(server: EmbeddedNats) -> int:
    """What the server has read so far, from files and connections."""
    return psutil.Process(server.child.pid).io_counters().read_chars


async def _read_of_each_file(nc: Client) -> None:
    subjects = [f"large.{number}" for number in range(10, MESSAGES, MESSAGES // FILES)]
    assert len(await last_of_each(nc, STREAM, subjects)) == FILES


@pytest.fixture
async def cold(fresh_nats: EmbeddedNats) -> AsyncIterator[Client]:
    """A server with a stream of five files, none of which it has read since it was started."""
    client = await connect(fresh_nats.url, "test")
    await client.jetstream().add_stream(StreamConfig(name=STREAM, subjects=["large.*"], allow_direct=True))
    await asyncio.gather(*(client.jetstream().publish(f"large.{n}", bytes(BODY)) for n in range(MESSAGES)))
    await client.close()
    await fresh_nats.stop()
    await fresh_nats.start()
    client = await connect(fresh_nats.url, "test")
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def _running(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.mark.embedded
async def test_what_is_kept_warm_is_not_read_from_files_when_it_is_asked_for(
    cold: Client, fresh_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "ROUND_SECONDS", 0.1)
    seen = [_bytes_read(fresh_nats)]

    def all_is_there() -> bool:
        """Every file was read, and in the last rounds none."""
        seen.append(_bytes_read(fresh_nats))
        return seen[-1] - seen[0] >= FILES * FILE and seen[-1] - seen[-2] < MIB

    async with _running(asyncio.create_task(keep(cold, STREAM, 1024 * MIB))):
        await until(all_is_there, "all files to be read", every=0.3)
        before = _bytes_read(fresh_nats)
        await _read_of_each_file(cold)
        assert _bytes_read(fresh_nats) - before < FILE


@pytest.mark.embedded
async def test_what_was_let_go_is_read_with_whole_files(cold: Client, fresh_nats: EmbeddedNats) -> None:
    """Or the test above would say nothing."""
    before = _bytes_read(fresh_nats)
    await _read_of_each_file(cold)
    assert _bytes_read(fresh_nats) - before > (FILES - 1) * FILE


@pytest.mark.embedded
async def test_watch_keeps_roster_tokens_and_log_warm_also_after_the_server_was_away(
    fresh_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "ROUND_SECONDS", 0.1)
    monkeypatch.setattr(warm, "ANSWER_SECONDS", 0.2)
    kept = {f"KV_{ROSTER}", f"KV_{TOKENS}", CASES}
    nc = await connect(fresh_nats.url, "test")
    await ensure_streams(nc.jetstream())
    subjects = ("$KV.ROSTER.other.household.h", "$KV.TOKENS.other.t", "cases.other.c.h")
    for subject in subjects:
        await nc.jetstream().publish(subject, b"{}")
    asked: set[str] = set()

    async def hear(message: Msg) -> None:
        if json.loads(message.data or b"{}").get("next_by_subj") == ">":
            asked.add(message.subject.rpartition(".")[2])

    await nc.subscribe("$JS.API.DIRECT.GET.*", cb=hear)
    async with _running(asyncio.create_task(app.watch(Settings(site="s1", nats_url=fresh_nats.url)))):
        await until(lambda: asked == kept, "each of the streams to be read")
        await fresh_nats.kill()
        await fresh_nats.start()
        asked.clear()
        await until(lambda: asked == kept, "each of them to be read again")
    await nc.close()


async def test_the_settings_say_how_much_watch_keeps(nats_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    async def keep(_: Client, __: str, most: int) -> None:
        asked.append(most)

    monkeypatch.setattr(warm, "keep", keep)
    settings = nats_settings.model_copy(update={"warm_mib": 7})
    async with _running(asyncio.create_task(app.watch(settings))):
        await until(lambda: len(asked) >= 3, "`watch` to begin")
    assert asked[:3] == [7 * MIB] * 3


@pytest.mark.embedded
async def test_a_stream_that_comes_later_is_read_and_one_without_direct_gets_is_asked_again(
    fresh_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "ROUND_SECONDS", 0.1)
    nc = await connect(fresh_nats.url, "test")
    js, asked, answered = nc.jetstream(), Counter[str](), Counter[str]()
    request, info, get = nc.request, f"$JS.API.STREAM.INFO.{STREAM}", f"$JS.API.DIRECT.GET.{STREAM}"

    async def hear(subject: str, *args: Any, **more: Any) -> Msg:
        asked[subject] += 1
        answer = await request(subject, *args, **more)
        answered[subject] += 1
        return answer

    monkeypatch.setattr(nc, "request", hear)
    async with _running(asyncio.create_task(keep(nc, STREAM, MIB))):
        await until(lambda: asked[info] >= 2, "a stream that is missing to be asked for again")
        config = StreamConfig(name=STREAM, subjects=["large.*"], allow_direct=False)
        await js.add_stream(config)
        await js.publish("large.1", b"x")
        await until(lambda: asked[get] >= 2, "what is refused to be asked for again")
        assert not answered[get]
        config.allow_direct = True
        await js.update_stream(config)
        await until(lambda: answered[get], "a message to be read")
    await nc.close()


@pytest.mark.embedded
@pytest.mark.parametrize("answers", [True, False])
async def test_a_stop_in_the_moment_of_an_answer_is_heeded(
    answers: bool, fresh_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes together with the answer."""
    nc = await connect(fresh_nats.url, "test")
    await nc.jetstream().add_stream(StreamConfig(name=STREAM, subjects=["large.*"], allow_direct=True))
    await nc.jetstream().publish("large.1", b"x")
    asked, request = asyncio.Event(), nc.request

    async def answered_and_cancelled_at_once(subject: str, *args: Any, **more: Any) -> Msg:
        answer = await request(subject, *args, **more)
        if subject == f"$JS.API.DIRECT.GET.{STREAM}":
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            if not answers:
                raise NoAnswer
        return answer

    monkeypatch.setattr(nc, "request", answered_and_cancelled_at_once)
    task = asyncio.create_task(keep(nc, STREAM, MIB))
    await asked.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    task.cancel()
    assert done == {task}
    await nc.close()


def _state(messages: int, each: int, first: int = 1) -> StreamState:
    size = messages * each
    return StreamState(messages=messages, bytes=size, first_seq=first, last_seq=first + messages - 1, consumer_count=0)


@pytest.mark.parametrize(("messages", "each", "first"), [(1, 100, 1), (33_000, 250, 1), (2_000_000, 270, 77)])
def test_every_file_has_its_place(messages: int, each: int, first: int) -> None:
    places = places_in(_state(messages, each, first), most=10**12)
    ends = [first, *places, first + messages]
    assert all(first <= place < first + messages for place in places)
    assert max(after - before for before, after in pairwise(ends)) * each <= BUCKETS_FILE + each


def test_of_what_is_too_large_the_newest_is_kept() -> None:
    places = places_in(_state(1_000_000, 300), most=30_000_000)
    assert len(places) == 30_000_000 // APART + 1
    assert min(places) > 900_000


def test_of_nothing_there_is_nothing_to_keep() -> None:
    assert places_in(_state(0, 0), most=MIB) == []
    assert places_in(_state(100, 100), most=0) == []


def test_the_places_are_others_each_time() -> None:
    state = _state(1_000_000, 300)
    assert places_in(state, most=10**12) != places_in(state, most=10**12)
